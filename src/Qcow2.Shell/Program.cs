using System.Globalization;
using Qcow2.Shell.Options;
using Qcow2.Shell.Sessions;

namespace Qcow2.Shell;

/// <summary>The entry point of <c>qcow2sh</c>.</summary>
internal static class Program
{
    /// <summary>Runs the shell and returns the exit code of the process.</summary>
    internal static int Main(string[] args)
    {
        // The engine would otherwise report its use over the network, at import and at start-up.
        Environment.SetEnvironmentVariable("POWERSHELL_TELEMETRY_OPTOUT", "1");

        // Under the invariant culture (LANG=C, as in most containers) the engine's help breaks lines in the midst of words.
        if (CultureInfo.CurrentCulture.Equals(CultureInfo.InvariantCulture))
        {
            CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("en-US");
        }

        try
        {
            return Run(ShellOptionsParser.Parse(args));
        }
        catch (UsageException e)
        {
            Console.Error.WriteLine($"qcow2sh: {e.Message}");
            Console.Error.WriteLine("Run 'qcow2sh -Help' for the options.");
            return ExitCode.Usage;
        }
    }

    private static int Run(ShellOptions options)
    {
        switch (options.Mode)
        {
            case ShellMode.Help:
                Console.Out.Write(Usage.Text);
                return ExitCode.Success;
            case ShellMode.Version:
                Console.Out.WriteLine(ShellVersion.Line);
                return ExitCode.Success;
            default:
                return ShellRunner.Run(options);
        }
    }
}
