namespace Qcow2.Shell.Options;

/// <summary>The command line, understood.</summary>
internal sealed record ShellOptions
{
    /// <summary>Where the commands come from.</summary>
    internal ShellMode Mode { get; init; } = ShellMode.Prompt;

    /// <summary>The script of <c>-Command</c>, or the path of <c>-File</c>.</summary>
    internal string Text { get; init; } = "";

    /// <summary>What follows the path of <c>-File</c>: the script's own arguments.</summary>
    internal IReadOnlyList<string> ScriptArguments { get; init; } = [];

    /// <summary>Nobody is there to answer: a question is an error.</summary>
    internal bool NonInteractive { get; init; }

    /// <summary>No banner before the prompt.</summary>
    internal bool NoLogo { get; init; }

    /// <summary>Another module than the one beside the shell: a folder or a manifest.</summary>
    internal string? ModulePath { get; init; }
}
