namespace Qcow2.Shell.Sessions;

/// <summary>Makes Ctrl-C stop the running pipeline instead of the process.</summary>
internal sealed class InterruptHandler : IDisposable
{
    private readonly ShellSession _session;

    /// <summary>Listens from now on.</summary>
    internal InterruptHandler(ShellSession session)
    {
        _session = session;
        Console.CancelKeyPress += OnCancelKeyPress;
    }

    public void Dispose() => Console.CancelKeyPress -= OnCancelKeyPress;

    // At the prompt nothing runs: Ctrl-C then only drops the line. Ctrl-Break always ends the process.
    private void OnCancelKeyPress(object? sender, ConsoleCancelEventArgs e)
    {
        if (e.SpecialKey == ConsoleSpecialKey.ControlC)
        {
            _session.Interrupt();
            e.Cancel = true;
        }
    }
}
