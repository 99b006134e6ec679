namespace Qcow2.HelpGenerator.Model;

/// <summary>All that help says of one parameter.</summary>
public sealed record ParameterHelp
{
    /// <summary>Its name, without a dash.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    public HelpText Description { get; init; } = HelpText.Empty;

    /// <summary>Its type as PowerShell users write it: <c>string[]</c>.</summary>
    public required string TypeName { get; init; }

    /// <summary>Whether it is given without a value.</summary>
    public bool IsSwitch { get; init; }

    /// <summary>Whether it takes several values.</summary>
    public bool IsArray { get; init; }

    /// <summary>Whether its value may have wildcards.</summary>
    public bool SupportsWildcards { get; init; }

    /// <summary>Other names.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The values that it takes; none if they are not a closed set.</summary>
    public IReadOnlyList<AcceptedValue> AcceptedValues { get; init; } = [];

    /// <summary>The least and the greatest number that it takes; null if there are no bounds.</summary>
    public string? AcceptedRange { get; init; }

    /// <summary>The value when it is not given.</summary>
    public string DefaultValue { get; init; } = "None";

    /// <summary>How each parameter set that has it binds it, the default set first.</summary>
    public IReadOnlyList<(string SetName, ParameterBinding Binding)> Bindings { get; init; } = [];

    /// <summary>
    /// What holds for the parameter as a whole: required if every set that has it requires it; the first position;
    /// pipeline input of any set.
    /// </summary>
    public ParameterBinding Binding => new(
        Bindings.All(b => b.Binding.IsRequired),
        Bindings.Select(b => b.Binding.Position).FirstOrDefault(p => p is not null),
        Bindings.Any(b => b.Binding.ByValue),
        Bindings.Any(b => b.Binding.ByPropertyName));
}
