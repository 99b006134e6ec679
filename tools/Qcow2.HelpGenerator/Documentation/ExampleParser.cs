using System.Xml.Linq;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Documentation;

/// <summary>
/// Makes an example of an <c>example</c> element: what stands before its first <c>code</c> is the title, what follows are
/// remarks.
/// </summary>
/// <param name="parser">Reads text.</param>
public sealed class ExampleParser(DocTextParser parser)
{
    /// <summary>The example; null if the element has no <c>code</c>.</summary>
    /// <param name="example">The element.</param>
    public ExampleHelp? Parse(XElement example)
    {
        if (example.Element("code") is not { } code)
        {
            return null;
        }

        return new ExampleHelp(
            parser.Parse(code.NodesBeforeSelf()),
            CodeText.Of(code.Value),
            parser.Parse(code.NodesAfterSelf()));
    }
}
