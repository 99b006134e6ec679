namespace Qcow2.Shell.Options;

/// <summary>Where the shell takes its commands from.</summary>
internal enum ShellMode
{
    /// <summary>A person at a terminal.</summary>
    Prompt,

    /// <summary>The text after <c>-Command</c>.</summary>
    Command,

    /// <summary>A script file.</summary>
    File,

    /// <summary>Standard input, read to its end and run as one script.</summary>
    StandardInput,

    /// <summary>Print the options.</summary>
    Help,

    /// <summary>Print the version.</summary>
    Version,
}
