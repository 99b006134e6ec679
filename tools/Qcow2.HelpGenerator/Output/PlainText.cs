using System.Globalization;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Help text without markup, for terminals.</summary>
public static class PlainText
{
    /// <summary>The text as paragraphs; a list's items are paragraphs that start with a dash or a number.</summary>
    /// <param name="text">The text.</param>
    public static IEnumerable<string> Paragraphs(HelpText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Blocks.SelectMany(Paragraphs);
    }

    /// <summary>The text on one line.</summary>
    /// <param name="text">The text.</param>
    public static string Line(HelpText text) => string.Join(' ', Paragraphs(text));

    private static IEnumerable<string> Paragraphs(HelpBlock block) => block switch
    {
        ParagraphBlock paragraph => [string.Concat(paragraph.Inlines.Select(Inline))],
        CodeBlock code => [code.Code],
        ListBlock list => list.Items.Select((item, i) => Bullet(list, i) + Line(item)),
        _ => [],
    };

    private static string Inline(HelpInline inline) => inline switch
    {
        LinkInline link when link.Text != link.Uri => $"{link.Text} ({link.Uri})",
        _ => inline.Text,
    };

    private static string Bullet(ListBlock list, int index)
        => list.IsNumbered ? string.Create(CultureInfo.InvariantCulture, $"{index + 1}. ") : "- ";
}
