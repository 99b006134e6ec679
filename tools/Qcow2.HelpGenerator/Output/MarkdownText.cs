using System.Globalization;
using System.Text.RegularExpressions;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Help text as Markdown.</summary>
public static partial class MarkdownText
{
    /// <summary>The text as Markdown blocks, parted by blank lines, without a line feed at the end.</summary>
    /// <param name="text">The text.</param>
    public static string Blocks(HelpText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return string.Join("\n\n", text.Blocks.Select(Block));
    }

    /// <summary>The text on one line.</summary>
    /// <param name="text">The text.</param>
    public static string Line(HelpText text) => Blocks(text).ReplaceLineEndings(" ");

    /// <summary>A piece of a line.</summary>
    /// <param name="inline">The piece.</param>
    public static string Inline(HelpInline inline) => inline switch
    {
        CommandInline command => $"[{command.Text}]({command.Text}.md)",
        LinkInline link => $"[{Escape(link.Text)}]({link.Uri})",
        CodeInline code => Code(code.Text),
        _ => Escape(inline.Text),
    };

    /// <summary>A name or value as code.</summary>
    /// <param name="code">The code.</param>
    public static string Code(string code) => code.Contains('`', StringComparison.Ordinal) ? $"`` {code} ``" : $"`{code}`";

    /// <summary>Lines of code.</summary>
    /// <param name="code">The lines.</param>
    /// <param name="language">Their language, for highlighting.</param>
    public static string Fence(string code, string language) => $"```{language}\n{code}\n```";

    private static string Block(HelpBlock block) => block switch
    {
        ParagraphBlock paragraph => string.Concat(paragraph.Inlines.Select(Inline)),
        CodeBlock code => Fence(code.Code, "text"),
        ListBlock list => string.Join('\n', list.Items.Select((item, i) => Item(list, item, i))),
        _ => "",
    };

    private static string Item(ListBlock list, HelpText item, int index)
    {
        string bullet = list.IsNumbered ? string.Create(CultureInfo.InvariantCulture, $"{index + 1}. ") : "- ";
        return bullet + Blocks(item).Replace("\n", "\n" + new string(' ', bullet.Length), StringComparison.Ordinal);
    }

    /// <summary>Plain words, with what Markdown would take as markup escaped.</summary>
    /// <param name="words">The words.</param>
    public static string Escape(string words) => Markup().Replace(words, @"\$0");

    [GeneratedRegex(@"[\\`*_\[\]<>|]")]
    private static partial Regex Markup();
}
