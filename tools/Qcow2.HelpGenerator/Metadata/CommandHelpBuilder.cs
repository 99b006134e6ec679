using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;
using Qcow2.HelpGenerator.Documentation;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Metadata;

/// <summary>Puts together what the engine and what the comments say of cmdlets.</summary>
public sealed class CommandHelpBuilder
{
    private readonly XmlDocReader _docs;
    private readonly DocTextParser _parser;
    private readonly ExampleParser _examples;
    private readonly ParameterHelpBuilder _parameters;
    private readonly TypeHelpBuilder _types;

    private CommandHelpBuilder(XmlDocReader docs, ReferenceNames names)
    {
        _docs = docs;
        _parser = new DocTextParser(names);
        _examples = new ExampleParser(_parser);
        _parameters = new ParameterHelpBuilder(docs, _parser);
        _types = new TypeHelpBuilder(docs, _parser);
    }

    /// <summary>Help on cmdlets, by name.</summary>
    /// <param name="commandTypes">Their classes.</param>
    /// <param name="docs">The comments on them, and on the types that they use.</param>
    public static IReadOnlyList<CommandHelp> Build(IReadOnlyList<Type> commandTypes, XmlDocReader docs)
    {
        var builder = new CommandHelpBuilder(docs, new ReferenceNames(commandTypes));
        return CommandCatalog.Describe(commandTypes, builder.Build);
    }

    private CommandHelp Build(CmdletInfo command)
    {
        XElement? comment = _docs.Find(command.ImplementingType);
        IReadOnlyList<ParameterHelp> parameters = _parameters.Build(command);
        return new CommandHelp
        {
            Name = command.Name,
            Synopsis = _parser.Parse(comment?.Element("summary")),
            Description = _parser.Parse(comment?.Element("remarks")),
            Aliases = [.. command.ImplementingType.GetCustomAttribute<AliasAttribute>()?.AliasNames ?? []],
            Parameters = parameters,
            Syntax = [.. ParameterSets.Ordered(command).Select(set => Syntax(command, set, parameters))],
            Inputs = _types.Inputs(command, parameters),
            Outputs = _types.Outputs(command),
            Examples = [.. comment?.Elements("example").Select(_examples.Parse).OfType<ExampleHelp>() ?? []],
            Links = [.. comment?.Elements("seealso").Select(_parser.Reference) ?? []],
        };
    }

    private static SyntaxHelp Syntax(CmdletInfo command, CommandParameterSetInfo set, IReadOnlyList<ParameterHelp> parameters)
        => new(set.Name, set.IsDefault, [.. ParameterSets.ForSyntax(command, set)
            .Select(p => new SyntaxParameter(parameters.First(known => known.Name == p.Name), ParameterSets.Binding(p)))]);
}
