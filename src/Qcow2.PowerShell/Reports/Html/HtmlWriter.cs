using System.Xml.Linq;

namespace Qcow2.PowerShell.Reports.Html;

/// <summary>
/// Writes a tree of elements as HTML. What is text in the tree is text in the file, whatever its characters are: there is no way from a name to markup. Nothing that
/// could run or load something gets through, either.
/// </summary>
internal sealed class HtmlWriter(TextWriter output)
{
    private static readonly HashSet<string> WithoutEnd = ["meta", "br", "hr", "col", "input"];

    /// <summary>Elements whose text a browser takes as it stands, without character references.</summary>
    private static readonly HashSet<string> Raw = ["style", "script"];

    /// <summary>Writes a whole document.</summary>
    /// <param name="document">Its element html.</param>
    internal void WriteDocument(XElement document)
    {
        output.Write("<!DOCTYPE html>\n");
        Write(document);
        output.Write('\n');
    }

    private void Write(XElement element)
    {
        string name = Name(element.Name);
        output.Write('<');
        output.Write(name);
        foreach (XAttribute attribute in element.Attributes())
        {
            Write(attribute);
        }

        output.Write('>');
        if (WithoutEnd.Contains(name))
        {
            return;
        }

        if (Raw.Contains(name))
        {
            WriteRaw(element.Value);
        }
        else
        {
            foreach (XNode node in element.Nodes())
            {
                WriteNode(node);
            }

            foreach (XElement later in element.Annotation<LaterContent>()?.Elements ?? [])
            {
                Write(later);
                output.Write('\n');
            }
        }

        output.Write("</");
        output.Write(name);
        output.Write('>');
    }

    private void WriteNode(XNode node)
    {
        switch (node)
        {
            case XElement element:
                Write(element);
                break;
            case XText text:
                WriteEscaped(text.Value);
                break;
            default:
                throw new InvalidOperationException($"A report has elements and text, and no {node.NodeType}.");
        }
    }

    private void Write(XAttribute attribute)
    {
        string name = Name(attribute.Name);
        bool isForbidden = name.StartsWith("on", StringComparison.OrdinalIgnoreCase) || name is "style" or "src" or "srcdoc" or "action" or "formaction"
            || (name == "href" && (attribute.Value.Length == 0 || attribute.Value[0] != '#'));
        if (isForbidden)
        {
            throw new InvalidOperationException($"A report has no attribute {name}=\"{attribute.Value}\".");
        }

        output.Write(' ');
        output.Write(name);
        output.Write("=\"");
        WriteEscaped(attribute.Value);
        output.Write('"');
    }

    private static string Name(XName name)
        => name.NamespaceName.Length == 0 && name.LocalName.All(letter => letter is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '0' and <= '9') or '-')
            ? name.LocalName
            : throw new InvalidOperationException($"No element or attribute of a report is called '{name}'.");

    private void WriteRaw(string text)
    {
        if (text.Contains("</") || text.Contains("<!--"))
        {
            throw new InvalidOperationException("A style or script would end before its end.");
        }

        output.Write(text);
    }

    private void WriteEscaped(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            char letter = text[i];
            if (char.IsHighSurrogate(letter) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                output.Write(letter);
                output.Write(text[++i]);
                continue;
            }

            switch (letter)
            {
                case '&':
                    output.Write("&amp;");
                    break;
                case '<':
                    output.Write("&lt;");
                    break;
                case '>':
                    output.Write("&gt;");
                    break;
                case '"':
                    output.Write("&quot;");
                    break;
                case '\t' or '\n':
                    output.Write(letter);
                    break;
                default:
                    output.Write(char.IsControl(letter) || char.IsSurrogate(letter) ? '\ufffd' : letter);
                    break;
            }
        }
    }
}
