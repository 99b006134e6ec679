namespace Qcow2.HelpGenerator.Model;

/// <summary>A paragraph, list or piece of code in help text.</summary>
public abstract record HelpBlock;

/// <summary>A paragraph.</summary>
/// <param name="Inlines">Its pieces.</param>
public sealed record ParagraphBlock(IReadOnlyList<HelpInline> Inlines) : HelpBlock;

/// <summary>A list.</summary>
/// <param name="IsNumbered">Whether the items have numbers, not bullets.</param>
/// <param name="Items">The items, each of one paragraph or more.</param>
public sealed record ListBlock(bool IsNumbered, IReadOnlyList<HelpText> Items) : HelpBlock;

/// <summary>Lines of code or of output.</summary>
/// <param name="Code">The lines, parted by line feeds.</param>
public sealed record CodeBlock(string Code) : HelpBlock;
