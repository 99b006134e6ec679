namespace Qcow2.HelpGenerator.Model;

/// <summary>One of the values that a parameter takes.</summary>
/// <param name="Name">What to type.</param>
/// <param name="Description">What it means; empty if nothing is said of it.</param>
public sealed record AcceptedValue(string Name, HelpText Description);
