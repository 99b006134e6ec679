namespace Qcow2.HelpGenerator.Model;

/// <summary>A type that a cmdlet takes from the pipeline or emits.</summary>
/// <param name="Name">Full name of the type.</param>
/// <param name="Description">What it is, and how the cmdlet takes it.</param>
public sealed record TypeHelp(string Name, HelpText Description);
