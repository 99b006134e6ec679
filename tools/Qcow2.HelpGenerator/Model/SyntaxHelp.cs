namespace Qcow2.HelpGenerator.Model;

/// <summary>One way to call a cmdlet: a parameter set.</summary>
/// <param name="SetName">The parameter set's name.</param>
/// <param name="IsDefault">Whether PowerShell takes this set when the arguments leave a choice.</param>
/// <param name="Parameters">Its parameters, in the order in which to show them.</param>
public sealed record SyntaxHelp(string SetName, bool IsDefault, IReadOnlyList<SyntaxParameter> Parameters)
{
    /// <summary>The name that PowerShell gives to the only parameter set of a command that has none.</summary>
    public const string OnlySet = "__AllParameterSets";
}

/// <summary>A parameter as one parameter set has it.</summary>
/// <param name="Parameter">What is the same in all sets.</param>
/// <param name="Binding">What this set says of it.</param>
public sealed record SyntaxParameter(ParameterHelp Parameter, ParameterBinding Binding);
