namespace Qcow2.Shell;

/// <summary>The exit codes the shell gives of its own; a script's own code goes through unchanged.</summary>
internal static class ExitCode
{
    /// <summary>All went well.</summary>
    internal const int Success = 0;

    /// <summary>The script failed, or the module could not be loaded.</summary>
    internal const int Failure = 1;

    /// <summary>The command line is wrong (EX_USAGE of sysexits.h, as pwsh has it).</summary>
    internal const int Usage = 64;

    /// <summary>Stopped by Ctrl-C (128 + SIGINT).</summary>
    internal const int Interrupted = 130;
}
