namespace Qcow2.HelpGenerator.Model;

/// <summary>An example.</summary>
/// <param name="Title">What it shows, if it was given a title.</param>
/// <param name="Code">The commands, parted by line feeds.</param>
/// <param name="Remarks">What there is to say of it.</param>
public sealed record ExampleHelp(HelpText Title, string Code, HelpText Remarks);
