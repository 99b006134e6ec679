using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>Reads the bitmap directory (spec: "Bitmap directory").</summary>
internal static class BitmapDirectory
{
    /// <summary>Reads every entry. A directory whose autoclear bit is clear is stale, and counts as none.</summary>
    /// <exception cref="Qcow2Exception">The directory or an entry breaks the specification or a limit.</exception>
    internal static IReadOnlyList<BitmapDirectoryEntry> Load(BlockStorage storage, Qcow2Header header)
    {
        var entries = new List<BitmapDirectoryEntry>();
        return Read(storage, header, entries, stopAtFault: true) is Qcow2Exception fault ? throw fault : entries;
    }

    /// <summary>Reads as many entries as can be found, however damaged.</summary>
    /// <param name="storage">The image file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="problem">What is wrong with the directory as a whole, so that there may be more bitmaps; null if nothing is.</param>
    internal static IReadOnlyList<BitmapDirectoryEntry> List(BlockStorage storage, Qcow2Header header, out string? problem)
    {
        var entries = new List<BitmapDirectoryEntry>();
        problem = Read(storage, header, entries, stopAtFault: false)?.Message;
        return entries;
    }

    private static Qcow2Exception? Read(BlockStorage storage, Qcow2Header header, List<BitmapDirectoryEntry> entries, bool stopAtFault)
    {
        BitmapsExtension? extension = header.Extension<BitmapsExtension>();
        if (extension is null || !header.Has(AutoclearFeatures.Bitmaps))
        {
            return null;
        }

        try
        {
            extension.Validate(header.Geometry);
            long fileLength = storage.Length;
            if ((long)extension.DirectoryOffset > fileLength - (long)extension.DirectorySize)
            {
                return Qcow2Errors.PastEnd("The bitmap directory", extension.DirectoryOffset, extension.DirectorySize, fileLength);
            }

            byte[] directory = new byte[extension.DirectorySize];
            storage.ReadZeroPadded((long)extension.DirectoryOffset, directory);
            return ReadEntries(extension, directory, header.Geometry, entries, stopAtFault);
        }
        catch (Qcow2Exception e)
        {
            return e;
        }
        catch (IOException e) when (!stopAtFault)
        {
            return Qcow2Errors.Corrupt($"The bitmap directory at 0x{extension.DirectoryOffset:x} cannot be read: {e.Message}");
        }
    }

    private static Qcow2Exception? ReadEntries(
        BitmapsExtension extension, ReadOnlySpan<byte> directory, ClusterGeometry geometry, List<BitmapDirectoryEntry> entries, bool stopAtFault)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        ReadOnlySpan<byte> rest = directory;
        for (uint i = 0; i < extension.BitmapCount; i++)
        {
            BitmapDirectoryEntry entry = BitmapDirectoryEntry.Read(rest, geometry, out Qcow2Exception? fault);
            if (!names.Add(entry.Name))
            {
                fault ??= Qcow2Errors.Corrupt($"Two bitmaps have the name '{PrintableText.Of(entry.Name)}'; names are unique.");
            }

            if (entry.TotalLength > rest.Length)
            {
                return Qcow2Errors.Corrupt(
                    $"bitmap_directory_size is {extension.DirectorySize}, too small for the padding of bitmap '{PrintableText.Of(entry.Name)}'.");
            }

            if (fault is not null && stopAtFault)
            {
                return fault;
            }

            entries.Add(entry with { Problem = fault?.Message });
            rest = rest.Slice(entry.TotalLength);
        }

        return rest.IsEmpty
            ? null
            : Qcow2Errors.Corrupt(
                $"bitmap_directory_size is {extension.DirectorySize}, but its {extension.BitmapCount} entries take {directory.Length - rest.Length} bytes.");
    }
}
