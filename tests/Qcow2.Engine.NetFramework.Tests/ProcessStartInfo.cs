namespace Qcow2;

/// <summary>The class of that name, which on .NET takes a list of arguments. The tests, inside this namespace, find this one first.</summary>
internal sealed class ProcessStartInfo
{
    private readonly System.Diagnostics.ProcessStartInfo _start;

    public ProcessStartInfo(string program, IEnumerable<string> arguments)
        => _start = new(program, string.Join(" ", arguments.Select(Quote))) { UseShellExecute = false };

    public string WorkingDirectory
    {
        set => _start.WorkingDirectory = value;
    }

    public bool RedirectStandardInput
    {
        set => _start.RedirectStandardInput = value;
    }

    public bool RedirectStandardOutput
    {
        set => _start.RedirectStandardOutput = value;
    }

    public bool RedirectStandardError
    {
        set => _start.RedirectStandardError = value;
    }

    public IDictionary<string, string> Environment => _start.Environment;

    public static implicit operator System.Diagnostics.ProcessStartInfo(ProcessStartInfo start) => start._start;

    private static string Quote(string argument) => "\"" + argument.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";
}
