using System.Xml.Linq;
using Qcow2.HelpGenerator.Model;
using static Qcow2.HelpGenerator.Output.MamlNames;

namespace Qcow2.HelpGenerator.Output;

/// <summary>Writes a parameter set.</summary>
internal static class MamlSyntax
{
    /// <summary>One way to call a command.</summary>
    internal static XElement Write(string command, SyntaxHelp set) => new(
        Command + "syntaxItem",
        new XElement(Maml + "name", command),
        set.Parameters.Select(p => MamlParameter.WriteSyntax(p.Parameter, p.Binding)));
}
