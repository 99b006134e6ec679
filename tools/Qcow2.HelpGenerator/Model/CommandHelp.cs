namespace Qcow2.HelpGenerator.Model;

/// <summary>All that help says of one cmdlet.</summary>
public sealed record CommandHelp
{
    /// <summary>Verb-Noun.</summary>
    public required string Name { get; init; }

    /// <summary>The part of the name before the dash.</summary>
    public string Verb => Name[..Name.IndexOf('-', StringComparison.Ordinal)];

    /// <summary>The part of the name after the dash.</summary>
    public string Noun => Name[(Verb.Length + 1)..];

    /// <summary>What it does, in a sentence.</summary>
    public HelpText Synopsis { get; init; } = HelpText.Empty;

    /// <summary>What it does, at length.</summary>
    public HelpText Description { get; init; } = HelpText.Empty;

    /// <summary>Other names of the command.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The ways to call it, the default first.</summary>
    public IReadOnlyList<SyntaxHelp> Syntax { get; init; } = [];

    /// <summary>Its parameters, by name; those that PowerShell itself adds come last.</summary>
    public IReadOnlyList<ParameterHelp> Parameters { get; init; } = [];

    /// <summary>What can be piped to it.</summary>
    public IReadOnlyList<TypeHelp> Inputs { get; init; } = [];

    /// <summary>What it emits.</summary>
    public IReadOnlyList<TypeHelp> Outputs { get; init; } = [];

    /// <summary>Examples.</summary>
    public IReadOnlyList<ExampleHelp> Examples { get; init; } = [];

    /// <summary>What to read next.</summary>
    public IReadOnlyList<HelpInline> Links { get; init; } = [];
}
