using System.Reflection;
using System.Xml.Linq;

namespace Qcow2.HelpGenerator.Documentation;

/// <summary>Finds documentation comments in the files that the compiler writes beside assemblies.</summary>
public sealed class XmlDocReader
{
    private readonly Dictionary<string, XElement> _members = new(StringComparer.Ordinal);

    /// <summary>Reads the files of assemblies: those that lie beside them, with the extension xml.</summary>
    /// <param name="assemblies">The assemblies. One without a file is taken to have no comments.</param>
    public static XmlDocReader ForAssemblies(params IEnumerable<Assembly> assemblies)
    {
        var reader = new XmlDocReader();
        foreach (Assembly assembly in assemblies)
        {
            string file = Path.ChangeExtension(assembly.Location, ".xml");
            if (File.Exists(file))
            {
                reader.Add(XDocument.Load(file, LoadOptions.PreserveWhitespace));
            }
        }

        return reader;
    }

    /// <summary>Adds the comments of one file.</summary>
    /// <param name="document">The file.</param>
    public void Add(XDocument document)
    {
        foreach (XElement member in document.Root?.Element("members")?.Elements("member") ?? [])
        {
            if (member.Attribute("name")?.Value is { } name)
            {
                _members[name] = member;
            }
        }
    }

    /// <summary>The comment on a type, or null.</summary>
    /// <param name="type">The type.</param>
    public XElement? Find(Type type) => Find(MemberId.Of(type));

    /// <summary>The comment on a member of an enum, or null.</summary>
    /// <param name="type">The enum.</param>
    /// <param name="value">The member's name.</param>
    public XElement? Find(Type type, string value) => Find(MemberId.Of(type, value));

    /// <summary>The comment on a property, or on what it overrides if it says <c>inheritdoc</c>; null if there is none.</summary>
    /// <param name="property">The property.</param>
    public XElement? Find(PropertyInfo property)
    {
        for (PropertyInfo? p = property; p is not null; p = Overridden(p))
        {
            if (Find(MemberId.Of(p)) is { } member && member.Element("inheritdoc") is null)
            {
                return member;
            }
        }

        return null;
    }

    private XElement? Find(string id) => _members.GetValueOrDefault(id);

    private static PropertyInfo? Overridden(PropertyInfo property)
        => property.DeclaringType?.BaseType?.GetProperty(property.Name, BindingFlags.Instance | BindingFlags.Public);
}
