using System.Xml.Linq;

namespace Qcow2.HelpGenerator.Output;

/// <summary>The namespaces of MAML, the form of help that Get-Help reads.</summary>
internal static class MamlNames
{
    internal static readonly XNamespace HelpItems = "http://msh";
    internal static readonly XNamespace Maml = "http://schemas.microsoft.com/maml/2004/10";
    internal static readonly XNamespace Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    internal static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";
}
