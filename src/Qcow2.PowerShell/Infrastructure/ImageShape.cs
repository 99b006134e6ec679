using System.Globalization;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Recognises objects of this module by the names that PowerShell keeps of their type or, in tables, by their columns.</summary>
internal static class ImageShape
{
    /// <summary>Where the path may be, in order.</summary>
    private static readonly string[] PathProperties = ["Path", "LiteralPath", "PSPath", "FullName"];

    /// <summary>What serialisation, Select-Object and Import-Csv put before the name of a type.</summary>
    private static readonly string[] Prefixes = ["Deserialized.", "Selected.", "CSV:"];

    /// <summary>Columns that only one type has, besides its path.</summary>
    private static readonly (Type Type, string[] Columns)[] Signatures =
    [
        (typeof(Qcow2Extent), ["Offset", "Length", "Kind", "FilePath"]),
        (typeof(Qcow2CompareResult), ["DifferencePath", "AreEqual"]),
        (typeof(Qcow2MeasureResult), ["RequiredBytes", "FullyAllocatedBytes"]),
        (typeof(Qcow2CheckResult), ["IsHealthy", "Corruptions"]),
        (typeof(Qcow2OptimizeResult), ["IsReplaced", "SavedBytes"]),
        (typeof(Qcow2Bitmap), ["Name", "Granularity"]),
        (typeof(Qcow2ImageInfo), ["Format", "Size", "FileSize"]),
    ];

    /// <summary>The path that an object names; null for none.</summary>
    internal static string? PathOf(PSObject bag) => PathProperties.Select(name => Text(bag, name)).FirstOrDefault(path => path.Length > 0);

    /// <summary>Whether an object has a property, empty or not.</summary>
    internal static bool Has(PSObject bag, string property) => bag.Properties[property] is not null;

    /// <summary>The type of this module that an object was, by the names that it still has.</summary>
    internal static Type? TypeNamedBy(PSObject bag) => bag.TypeNames.Select(TypeOf).FirstOrDefault(type => type is not null);

    /// <summary>
    /// What a row without a type is. A row that has an id beside its path is about a snapshot, whoever wrote it: taken for the image
    /// alone, it would mean another disk.
    /// </summary>
    internal static Qcow2ImageObject? Guess(PSObject bag)
    {
        foreach ((Type type, string[] columns) in Signatures)
        {
            if (columns.All(column => Has(bag, column)))
            {
                return ImageObjectReader.ReadAs(type, bag);
            }
        }

        string id = Text(bag, "Id");
        bool isOwnRow = id.Length > 0;
        id = isOwnRow ? id : Text(bag, "SnapshotId");
        string name = Text(bag, "SnapshotName");
        name = name.Length == 0 && isOwnRow ? Text(bag, "Name") : name;
        if (id.Length + name.Length == 0)
        {
            return null;
        }

        var snapshot = (Qcow2Snapshot)ImageObjectReader.ReadAs(typeof(Qcow2Snapshot), bag);
        snapshot.Id = id;
        snapshot.Name = name;
        return snapshot;
    }

    private static string Text(PSObject bag, string property)
        => Has(bag, property) && LanguagePrimitives.TryConvertTo(bag.Properties[property].Value, CultureInfo.InvariantCulture, out string text) && text is not null ? text : "";

    private static Type? TypeOf(string name)
    {
        while (Array.Find(Prefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) is string known)
        {
            name = name.Substring(known.Length);
        }

        Type? type = name.StartsWith("Qcow2.", StringComparison.Ordinal) ? typeof(Qcow2ImageObject).Assembly.GetType(name) : null;
        return type is { IsAbstract: false } && typeof(Qcow2ImageObject).IsAssignableFrom(type) ? type : null;
    }
}
