using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>A bitmap of the directory, and what of it waits to be saved.</summary>
internal sealed class StoredBitmap(long position, BitmapDirectoryEntry entry)
{
    /// <summary>Host offset of the directory entry.</summary>
    internal long Position { get; set; } = position;

    /// <summary>The entry as a clean close leaves it: without the mark of being in use while this writer has the bitmap open.</summary>
    internal BitmapDirectoryEntry Entry { get; set; } = entry;

    /// <summary>The bits, while this writer has the bitmap open.</summary>
    internal DirtyBitmap? Bits { get; set; }

    /// <summary>Host offset of a table that will take the place of the one that the entry names; 0 for none.</summary>
    internal long NewTableOffset { get; set; }

    /// <summary>Clusters of data that the table will no longer name.</summary>
    internal List<long> Dropped { get; } = [];

    /// <summary>Whether some earlier writer never saved the bitmap, so that nothing can be made of it.</summary>
    internal bool IsInconsistent => (Entry.Flags & BitmapFlags.InUse) != 0;

    /// <summary>Whether the bitmap records what is written.</summary>
    internal bool IsEnabled => (Entry.Flags & BitmapFlags.Auto) != 0;

    /// <summary>The name, safe to show.</summary>
    internal string ShownName => PrintableText.Of(Entry.Name);
}
