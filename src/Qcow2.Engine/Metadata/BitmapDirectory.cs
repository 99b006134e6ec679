using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>Reads the bitmap directory (spec: "Bitmap directory").</summary>
internal static class BitmapDirectory
{
    /// <summary>Reads every entry. A directory whose autoclear bit is clear is stale, and counts as none.</summary>
    /// <exception cref="Qcow2Exception">The directory or an entry breaks the specification or a limit.</exception>
    internal static IReadOnlyList<BitmapDirectoryEntry> Load(BlockStorage storage, Qcow2Header header)
    {
        BitmapsExtension? extension = header.Extension<BitmapsExtension>();
        if (extension is null || !header.Has(AutoclearFeatures.Bitmaps))
        {
            return [];
        }

        long fileLength = storage.Length;
        if ((long)extension.DirectoryOffset > fileLength - (long)extension.DirectorySize)
        {
            throw Qcow2Errors.PastEnd("The bitmap directory", extension.DirectoryOffset, extension.DirectorySize, fileLength);
        }

        byte[] directory = new byte[extension.DirectorySize];
        storage.ReadZeroPadded((long)extension.DirectoryOffset, directory);

        var entries = new List<BitmapDirectoryEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        ReadOnlySpan<byte> rest = directory;
        for (uint i = 0; i < extension.BitmapCount; i++)
        {
            BitmapDirectoryEntry entry = BitmapDirectoryEntry.Parse(rest, header.Geometry);
            if (!names.Add(entry.Name))
            {
                throw Qcow2Errors.Corrupt($"Two bitmaps have the name '{FormatText.Printable(entry.Name)}'; names are unique.");
            }

            if (entry.TotalLength > rest.Length)
            {
                throw Qcow2Errors.Corrupt(
                    $"bitmap_directory_size is {extension.DirectorySize}, too small for the padding of bitmap '{FormatText.Printable(entry.Name)}'.");
            }

            entries.Add(entry);
            rest = rest.Slice(entry.TotalLength);
        }

        return rest.IsEmpty
            ? entries
            : throw Qcow2Errors.Corrupt(
                $"bitmap_directory_size is {extension.DirectorySize}, but its {extension.BitmapCount} entries take {directory.Length - rest.Length} bytes.");
    }
}
