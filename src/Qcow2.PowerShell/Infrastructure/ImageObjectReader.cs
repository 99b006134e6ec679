using System.Collections;
using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Reads an object of this module out of a bag of properties. An object means more than its file, a snapshot for one; bound by its path
/// alone it would mean another disk.
/// </summary>
internal static class ImageObjectReader
{
    /// <summary>The object that a bag of properties stands for; null where it is none of this module's.</summary>
    /// <param name="item">A deserialised or selected object, a row of a table, a dictionary.</param>
    internal static Qcow2ImageObject? Read(object? item)
    {
        if (item is null || Bag(item) is not PSObject bag || ImageShape.PathOf(bag) is not string path)
        {
            return null;
        }

        if (OtherComputer.Of(bag) is string computer && !OtherComputer.IsShared(path))
        {
            return new UnusableObject(path, OtherComputer.Refuse(path, computer), ImageShape.Recognise(bag), computer);
        }

        Qcow2ImageObject? read = ImageShape.Recognise(bag);
        if (read is not null and not UnusableObject)
        {
            read.Path = path;
        }

        return read;
    }

    /// <summary>An object as a view needs it: the live one, or what its properties say.</summary>
    internal static T As<T>(object? item)
        where T : class, new()
        => item is PSObject { BaseObject: T wrapped } ? wrapped
            : item as T ?? (item is not null && Bag(item) is PSObject bag ? (T)PropertyBag.Fill(typeof(T), bag) : new T());

    /// <summary>Fills an object of a known type, as far as its properties came along.</summary>
    internal static Qcow2ImageObject ReadAs(Type type, PSObject bag)
    {
        var read = (Qcow2ImageObject)PropertyBag.Fill(type, bag);
        if (read is Qcow2ImageInfo info && !ImageShape.Has(bag, nameof(Qcow2ImageInfo.Format)))
        {
            info.Format = ""; // What it is has to be found out again.
        }

        string? lost = read is Qcow2DiskObject ? Lost(bag, nameof(Qcow2DiskObject.SnapshotId), nameof(Qcow2DiskObject.SnapshotName)) : null;
        lost ??= read is Qcow2CompareResult
            ? Lost(bag, nameof(Qcow2CompareResult.DifferenceSnapshotId), nameof(Qcow2CompareResult.DifferenceSnapshotName)) : null;
        return lost is null ? read : new UnusableObject(ImageShape.PathOf(bag)!, new ImageCmdletException(
            "ObjectIncomplete", ErrorCategory.InvalidData,
            $"{ImageShape.PathOf(bag)}: this came from a {type.Name} whose {lost} is missing, so that it may be about a snapshot. Keep that property, too, or pass on the path alone (Select-Object -ExpandProperty Path)."));
    }

    /// <summary>The property that would say which disk is meant, if nothing that says it came along.</summary>
    private static string? Lost(PSObject bag, string id, string name) => ImageShape.Has(bag, id) || ImageShape.Has(bag, name) ? null : id;

    private static PSObject? Bag(object item)
    {
        switch (item is PSObject wrapped ? wrapped.BaseObject : item)
        {
            case string or ValueType or byte[]:
                return null;
            case IDictionary dictionary:
                var bag = new PSObject();
                foreach (DictionaryEntry entry in dictionary)
                {
                    if (entry.Key is string { Length: > 0 } key && bag.Properties[key] is null)
                    {
                        bag.Properties.Add(new PSNoteProperty(key, entry.Value));
                    }
                }

                return bag;
            default:
                return PSObject.AsPSObject(item);
        }
    }
}
