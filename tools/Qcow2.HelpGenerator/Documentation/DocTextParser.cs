using System.Text.RegularExpressions;
using System.Xml.Linq;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Documentation;

/// <summary>Makes help text of the content of a documentation element.</summary>
/// <param name="names">What references are called.</param>
public sealed partial class DocTextParser(ReferenceNames names)
{
    /// <summary>The text of an element; empty for null.</summary>
    /// <param name="element">A summary, remarks, para and the like.</param>
    public HelpText Parse(XElement? element) => element is null ? HelpText.Empty : Parse(element.Nodes());

    /// <summary>The text of some nodes of an element.</summary>
    /// <param name="nodes">The nodes.</param>
    public HelpText Parse(IEnumerable<XNode> nodes)
    {
        var blocks = new List<HelpBlock>();
        var line = new List<HelpInline>();
        foreach (XNode node in nodes)
        {
            if (node is XElement { Name.LocalName: "para" or "list" or "code" } block)
            {
                EndParagraph(blocks, line);
                blocks.AddRange(Block(block));
            }
            else if (Inline(node) is { } inline)
            {
                line.Add(inline);
            }
        }

        EndParagraph(blocks, line);
        return new HelpText(blocks);
    }

    private IEnumerable<HelpBlock> Block(XElement element) => element.Name.LocalName switch
    {
        "code" => [new CodeBlock(CodeText.Of(element.Value))],
        "list" => [new ListBlock(element.Attribute("type")?.Value == "number", [.. element.Elements("item").Select(Item)])],
        _ => Parse(element).Blocks,
    };

    private HelpText Item(XElement item)
    {
        HelpText description = Parse(item.Element("description") ?? item);
        if (item.Element("term") is not { } term)
        {
            return description;
        }

        IEnumerable<HelpInline> head = Line(term.Nodes());
        return description.Blocks is [ParagraphBlock first, ..]
            ? new HelpText([new ParagraphBlock([.. head, new TextInline(": "), .. first.Inlines]), .. description.Blocks.Skip(1)])
            : new HelpText([new ParagraphBlock([.. head])]);
    }

    private HelpInline? Inline(XNode node) => node switch
    {
        XText text => new TextInline(text.Value),
        XElement { Name.LocalName: "c" } c => new CodeInline(Whitespace().Replace(c.Value, " ").Trim()),
        XElement { Name.LocalName: "see" or "seealso" } see => Reference(see),
        XElement { Name.LocalName: "paramref" or "typeparamref" } p => new CodeInline(p.Attribute("name")?.Value ?? ""),
        XElement element => new TextInline(element.Value),
        _ => null,
    };

    /// <summary>What a <c>see</c> or <c>seealso</c> shows.</summary>
    /// <param name="see">The element.</param>
    public HelpInline Reference(XElement see)
    {
        string own = Whitespace().Replace(see.Value, " ").Trim();
        if (see.Attribute("href")?.Value is { } uri)
        {
            return new LinkInline(own.Length > 0 ? own : uri, uri);
        }

        if (see.Attribute("cref")?.Value is { } cref)
        {
            HelpInline named = names.Of(cref);
            return own.Length > 0 && named is not CommandInline ? new TextInline(own) : named;
        }

        return new CodeInline(see.Attribute("langword")?.Value ?? own);
    }

    private static void EndParagraph(List<HelpBlock> blocks, List<HelpInline> line)
    {
        List<HelpInline> tidy = Tidy(line);
        if (tidy.Count > 0)
        {
            blocks.Add(new ParagraphBlock(tidy));
        }

        line.Clear();
    }

    private List<HelpInline> Line(IEnumerable<XNode> nodes) => Tidy([.. nodes.Select(Inline).OfType<HelpInline>()]);

    /// <summary>Line breaks and indentation of the source are single spaces; none at either end.</summary>
    private static List<HelpInline> Tidy(List<HelpInline> line)
    {
        var tidy = new List<HelpInline>();
        for (int i = 0; i < line.Count; i++)
        {
            if (line[i] is not TextInline text)
            {
                tidy.Add(line[i]);
                continue;
            }

            string words = Whitespace().Replace(text.Text, " ");
            words = tidy.Count == 0 ? words.TrimStart() : words;
            words = i == line.Count - 1 ? words.TrimEnd() : words;
            if (words.Length > 0)
            {
                tidy.Add(new TextInline(words));
            }
        }

        return tidy;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}
