namespace Qcow2.Shell.Options;

/// <summary>The text of <c>-Help</c>.</summary>
internal static class Usage
{
    internal const string Text = """
        qcow2sh: PowerShell's engine with the Qcow2 module loaded.

        qcow2sh                                   a prompt (a script from standard input if that is not a terminal)
        qcow2sh -Command <text...>                run the text; '-' reads a script from standard input
        qcow2sh [-File] <script> [arguments...]   run a script file; what follows goes to the script

          -Command, -c <text...>    everything after it is the script
          -File, -f <script>        everything after the path goes to the script
          -ModulePath <path>        load the Qcow2 module from this folder or manifest
          -NonInteractive           a question to the user is an error
          -NoLogo                   no banner before the prompt
          -NoProfile                accepted; profiles are never read
          -Version, -v              print the version
          -Help, -h                 print this text

        Exit code: that of 'exit', else 0 for success and 1 for failure; 64 for a wrong command line; 130 after Ctrl-C.

        """;
}
