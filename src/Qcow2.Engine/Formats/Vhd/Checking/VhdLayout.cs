namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>What the headers of a VHD say, as far as they can be used for a check, which must not be far.</summary>
/// <param name="Footer">The copy of the footer that counts.</param>
/// <param name="Header">The dynamic disk header; null of a fixed disk.</param>
/// <param name="DataEnd">Where data end: at the footer, or at the end of a file that has none.</param>
/// <param name="Reserved">Parts of the file that are no blocks, each with its name.</param>
internal sealed record VhdLayout(VhdFooter Footer, VhdDynamicHeader? Header, long DataEnd, List<(DiskRange Range, string Name)> Reserved)
{
    internal long Size => (long)Footer.CurrentSize;

    internal bool IsDifferencing => Footer.DiskType == VhdDiskType.Differencing;

    internal long BlockSize => Header?.BlockSize ?? 0;

    /// <summary>Bytes of the bitmap in front of each block.</summary>
    internal long BitmapBytes => Header is null ? 0 : VhdSectorBitmap.BytesFor(Header.BlockSize);

    /// <summary>Blocks of the disk.</summary>
    internal long BlockCount => Header is null ? 0 : (Size / BlockSize) + (Size % BlockSize != 0 ? 1 : 0);

    /// <summary>Entries of the table that are about blocks of the disk.</summary>
    internal long UsedEntries => Header is null ? 0 : Math.Min(BlockCount, Header.MaxTableEntries);

    /// <summary>Bytes of the disk in a block. The last one may have fewer.</summary>
    internal long DataBytes(long block) => Math.Min(BlockSize, Size - (block * BlockSize));
}
