namespace Qcow2.HelpGenerator.Model;

/// <summary>Help text that can be written with markup or without.</summary>
/// <param name="Blocks">Paragraphs, lists and code, in order.</param>
public sealed record HelpText(IReadOnlyList<HelpBlock> Blocks)
{
    /// <summary>No text.</summary>
    public static HelpText Empty { get; } = new([]);

    /// <summary>Whether there is no text.</summary>
    public bool IsEmpty => Blocks.Count == 0;

    /// <summary>One paragraph of plain words.</summary>
    /// <param name="text">The words.</param>
    public static HelpText Plain(string text) => new([new ParagraphBlock([new TextInline(text)])]);
}
