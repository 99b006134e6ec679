namespace Qcow2.Shell.Hosting;

/// <summary>What the three standard streams are connected to.</summary>
internal sealed record Terminal
{
    /// <summary>A person reads standard output.</summary>
    internal bool Output { get; init; } = !Console.IsOutputRedirected;

    /// <summary>A person reads standard error.</summary>
    internal bool Error { get; init; } = !Console.IsErrorRedirected;

    /// <summary>A person types standard input.</summary>
    internal bool Input { get; init; } = !Console.IsInputRedirected;

    /// <summary>Colours are wanted (see no-color.org) and the terminal is not a dumb one.</summary>
    internal bool Colour { get; init; } = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") != "dumb";
}
