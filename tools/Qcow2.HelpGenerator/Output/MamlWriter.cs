using System.Text;
using System.Xml;
using System.Xml.Linq;
using Qcow2.HelpGenerator.Model;
using static Qcow2.HelpGenerator.Output.MamlNames;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes help as the file that Get-Help reads.</summary>
public static class MamlWriter
{
    private const string Prompt = "PS> ";

    /// <summary>The file for some cmdlets, which must be of one assembly.</summary>
    /// <param name="commands">Help on them.</param>
    public static string Write(IReadOnlyList<CommandHelp> commands)
    {
        var document = new XDocument(
            new XComment(" Made by tools/Qcow2.HelpGenerator from the comments in the source. Do not edit. "),
            new XElement(HelpItems + "helpItems", new XAttribute("schema", "maml"), commands.Select(Write)));
        var settings = new XmlWriterSettings
        {
            Indent = true,
            NewLineChars = "\n",
            NewLineHandling = NewLineHandling.None,
            Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        using var bytes = new MemoryStream();
        using (var writer = XmlWriter.Create(bytes, settings))
        {
            document.Save(writer);
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static XElement Write(CommandHelp command) => new(
        Command + "command",
        new XAttribute(XNamespace.Xmlns + "maml", Maml),
        new XAttribute(XNamespace.Xmlns + "command", Command),
        new XAttribute(XNamespace.Xmlns + "dev", Dev),
        new XElement(
            Command + "details",
            new XElement(Command + "name", command.Name),
            new XElement(Command + "verb", command.Verb),
            new XElement(Command + "noun", command.Noun),
            Description(command.Synopsis)),
        Description(command.Description),
        new XElement(Command + "syntax", command.Syntax.Select(set => MamlSyntax.Write(command.Name, set))),
        new XElement(Command + "parameters", command.Parameters.Select(MamlParameter.Write)),
        new XElement(Command + "inputTypes", Types("inputType", command.Inputs)),
        new XElement(Command + "returnValues", Types("returnValue", command.Outputs)),
        Notes(command),
        new XElement(Command + "examples", command.Examples.Select(Example)),
        new XElement(Command + "relatedLinks", command.Links.Select(Link)));

    /// <summary>A description element with the paragraphs of a text.</summary>
    internal static XElement Description(HelpText text) => new(Maml + "description", Paragraphs(text));

    private static IEnumerable<XElement> Paragraphs(HelpText text) => PlainText.Paragraphs(text).Select(p => new XElement(Maml + "para", p));

    private static IEnumerable<XElement> Types(string element, IReadOnlyList<TypeHelp> types)
        => (types.Count > 0 ? types : [new TypeHelp("None", HelpText.Empty)]).Select(type => new XElement(
            Command + element,
            new XElement(Dev + "type", new XElement(Maml + "name", type.Name)),
            Description(type.Description)));

    private static XElement? Notes(CommandHelp command) => command.Aliases.Count == 0
        ? null
        : new XElement(
            Maml + "alertSet",
            new XElement(Maml + "alert", new XElement(Maml + "para", "Aliases: " + string.Join(", ", command.Aliases))));

    private static XElement Example(ExampleHelp example, int index)
    {
        string title = example.Title.IsEmpty ? $"Example {index + 1}" : $"Example {index + 1}: {PlainText.Line(example.Title)}";
        return new XElement(
            Command + "example",
            new XElement(Maml + "title", $"---------- {title} ----------"),
            new XElement(Maml + "introduction", new XElement(Maml + "para", Prompt)),
            new XElement(Dev + "code", example.Code),
            new XElement(Dev + "remarks", Paragraphs(example.Remarks), new XElement(Maml + "para"))); // a blank line before the next
    }

    private static XElement Link(HelpInline link) => new(
        Maml + "navigationLink",
        new XElement(Maml + "linkText", link.Text),
        new XElement(Maml + "uri", (link as LinkInline)?.Uri));
}
