using System.Globalization;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Recognises objects of this module by the names that PowerShell keeps of their type or, in tables, by their columns.</summary>
internal static class ImageShape
{
    /// <summary>Where the path may be, in order.</summary>
    private static readonly string[] PathProperties = ["Path", "LiteralPath", "LP", "PSPath", "FullName"];

    /// <summary>What serialisation, Select-Object and Import-Csv put before the name of a type.</summary>
    private static readonly string[] Prefixes = ["Deserialized.", "Selected.", "CSV:"];

    /// <summary>Columns that only one type has, besides its path.</summary>
    private static readonly (Type Type, string[] Columns)[] Signatures =
    [
        (typeof(Qcow2Extent), ["Offset", "Length", "Kind", "FilePath"]),
        (typeof(Qcow2ImagePicture), ["BytesPerSign", "Legend"]),
        (typeof(Qcow2Partition), ["PartitionStyle", "Offset", "Size"]),
        (typeof(Qcow2CompareResult), ["DifferencePath", "AreEqual"]),
        (typeof(Qcow2MeasureResult), ["RequiredBytes", "FullyAllocatedBytes"]),
        (typeof(Qcow2CheckResult), ["IsHealthy", "Corruptions"]),
        (typeof(Qcow2OptimizeResult), ["IsReplaced", "SavedBytes"]),
        (typeof(Qcow2Bitmap), ["Name", "Granularity"]),
        (typeof(Qcow2KeySlot), ["KeySlot", "IsActive"]),
        (typeof(Qcow2ImageInfo), ["Format", "Size", "FileSize"]),
    ];

    /// <summary>Columns by which a row names a snapshot, whatever else it says.</summary>
    private static readonly string[] SnapshotIds = ["SnapshotId", "CheckpointId"];
    private static readonly string[] SnapshotNames = ["SnapshotName", "CheckpointName"];

    /// <summary>Columns that only a snapshot has. With them, or a place for an id, a name is that of a snapshot.</summary>
    private static readonly string[][] SnapshotColumns = [["VmStateSize"], ["VmClock"], ["InstructionCount"], ["CreationTime", "DiskSize"]];

    /// <summary>The path that an object names; null for none.</summary>
    internal static string? PathOf(PSObject bag) => FirstText(bag, PathProperties) is { Length: > 0 } path ? path : null;

    /// <summary>Whether an object has a property, empty or not.</summary>
    internal static bool Has(PSObject bag, string property) => bag.Properties[property] is not null;

    /// <summary>
    /// The object that a bag of properties was, or what a row without a type is; null where it is none of this module's. What names a
    /// snapshot is about that snapshot, whoever wrote it and whatever else it says: taken for the image alone, it would mean another disk.
    /// </summary>
    internal static Qcow2ImageObject? Recognise(PSObject bag)
    {
        Type? type = TypeNamedBy(bag) ?? Array.Find(Signatures, signature => signature.Columns.All(column => Has(bag, column))).Type;
        bool saysDiskItself = type == typeof(Qcow2Snapshot) || typeof(Qcow2DiskObject).IsAssignableFrom(type);
        return (saysDiskItself ? null : SnapshotNamedBy(bag)) ?? (type is null ? null : ImageObjectReader.ReadAs(type, bag));
    }

    /// <summary>The type of this module that an object was, by the names that it still has.</summary>
    private static Type? TypeNamedBy(PSObject bag) => bag.TypeNames.Select(TypeOf).FirstOrDefault(type => type is not null);

    private static Qcow2Snapshot? SnapshotNamedBy(PSObject bag)
    {
        string id = FirstText(bag, SnapshotIds);
        string name = FirstText(bag, SnapshotNames);
        bool isSnapshot = SnapshotColumns.Any(columns => columns.All(column => Has(bag, column)));
        if (isSnapshot || Has(bag, "Id"))
        {
            id = id.Length == 0 ? Text(bag, "Id") : id;
            name = name.Length == 0 ? Text(bag, "Name") : name;
        }

        if (id.Length + name.Length == 0 && !isSnapshot)
        {
            return null;
        }

        var snapshot = (Qcow2Snapshot)ImageObjectReader.ReadAs(typeof(Qcow2Snapshot), bag);
        snapshot.Id = id;
        snapshot.Name = name;
        return snapshot;
    }

    private static string FirstText(PSObject bag, string[] properties)
        => properties.Select(name => Text(bag, name)).FirstOrDefault(text => text.Length > 0) ?? "";

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
