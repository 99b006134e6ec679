using System.Management.Automation;
using System.Reflection;
using Qcow2.HelpGenerator.Model;

namespace Qcow2.HelpGenerator.Documentation;

/// <summary>
/// Says what a reference from C# to C# is called by those who know PowerShell: a cmdlet class by Verb-Noun, its parameter
/// property with a dash, anything else by its short name.
/// </summary>
public sealed class ReferenceNames
{
    private readonly Dictionary<string, HelpInline> _known = new(StringComparer.Ordinal);

    /// <summary>Takes the names of cmdlets and of their parameters.</summary>
    /// <param name="commandTypes">Classes of cmdlets.</param>
    public ReferenceNames(IEnumerable<Type> commandTypes)
    {
        foreach (Type type in commandTypes)
        {
            var cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
            _known[MemberId.Of(type)] = new CommandInline($"{cmdlet.VerbName}-{cmdlet.NounName}");
            foreach (PropertyInfo property in type.GetProperties().Where(p => p.IsDefined(typeof(ParameterAttribute), inherit: true)))
            {
                _known[MemberId.Of(property)] = new CodeInline("-" + property.Name);
            }
        }
    }

    /// <summary>What to show for a reference.</summary>
    /// <param name="cref">The id that the compiler made of it.</param>
    public HelpInline Of(string cref)
    {
        if (_known.TryGetValue(cref, out HelpInline? inline))
        {
            return inline;
        }

        string name = cref[(cref.IndexOf(':', StringComparison.Ordinal) + 1)..];
        int arguments = name.IndexOf('(', StringComparison.Ordinal);
        name = arguments < 0 ? name : name[..arguments];
        name = name[(name.LastIndexOf('.') + 1)..];
        int arity = name.IndexOf('`', StringComparison.Ordinal);
        return new CodeInline(arity < 0 ? name : name[..arity]);
    }
}
