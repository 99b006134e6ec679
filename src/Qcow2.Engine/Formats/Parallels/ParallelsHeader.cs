using System.Buffers.Binary;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Parallels;

/// <summary>The header of an expanding disk of Parallels. All numbers in it are little-endian.</summary>
/// <param name="Size">Size of the disk, in bytes.</param>
/// <param name="BlockSize">Unit of allocation; no power of two in old files.</param>
/// <param name="EntrySize">Bytes that an entry of the block table counts: a sector or a block.</param>
/// <param name="EntryCount">Entries of the block table.</param>
/// <param name="IsInUse">Whether the disk is open, or was not closed.</param>
internal sealed record ParallelsHeader(long Size, int BlockSize, long EntrySize, long EntryCount, bool IsInUse)
{
    internal const int Length = 64;

    private const int MagicLength = 16;
    private const uint Version = 2;
    private const uint InUse = 0x746f_6e59;
    private const int SectorSize = 512;
    private const uint MaxBlockSectors = int.MaxValue / SectorSize;
    private const ulong MaxSectors = 1UL << 52;

    /// <summary>Where data can lie at the earliest: behind the block table.</summary>
    internal long TableEnd => Length + (EntryCount * sizeof(uint));

    /// <summary>The mark of the format, in which entries count sectors.</summary>
    private static ReadOnlySpan<byte> OldMagic => "WithoutFreeSpace"u8;

    /// <summary>The mark of the format, in which entries count blocks.</summary>
    private static ReadOnlySpan<byte> NewMagic => "WithouFreSpacExt"u8;

    internal static bool IsMarked(FileContent content) => content.Has(0, OldMagic) || content.Has(0, NewMagic);

    /// <summary>Reads the header of a file.</summary>
    /// <exception cref="Qcow2Exception">It is no such file, of a version that is not known, or its fields are not possible.</exception>
    internal static ParallelsHeader Load(BlockStorage file)
    {
        byte[] bytes = new byte[Length];
        file.ReadZeroPadded(0, bytes);
        ReadOnlySpan<byte> magic = bytes.AsSpan(0, MagicLength);
        bool isOld = magic.SequenceEqual(OldMagic);
        if (!isOld && !magic.SequenceEqual(NewMagic))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.FormatMismatch,
                "The file begins with neither 'WithoutFreeSpace' nor 'WithouFreSpacExt': it is no expanding disk of Parallels. A plain one (see DiskDescriptor.xml beside it) is a raw disk.");
        }

        uint version = U32(bytes, 16);
        if (version != Version)
        {
            throw Qcow2Errors.Unsupported($"The Parallels image has version {version}; {Version} is known.");
        }

        uint blockSectors = U32(bytes, 28);
        if (blockSectors is 0 or > MaxBlockSectors)
        {
            throw Qcow2Errors.Corrupt($"The Parallels image has blocks of {blockSectors} sectors; they have 1 to {MaxBlockSectors}.");
        }

        // What the old format has in the upper half is of no meaning.
        ulong sectors = isOld ? U32(bytes, 36) : BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(36));
        if (sectors > MaxSectors)
        {
            throw Qcow2Errors.Limit("The size of the Parallels image's disk", sectors, MaxSectors, "sectors");
        }

        int blockSize = (int)blockSectors * SectorSize;
        var header = new ParallelsHeader((long)sectors * SectorSize, blockSize, isOld ? SectorSize : blockSize, U32(bytes, 32), U32(bytes, 44) == InUse);
        header.RequireTable(((long)sectors + blockSectors - 1) / blockSectors, file.Length);
        return header;
    }

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private void RequireTable(long needed, long fileLength)
    {
        if (EntryCount < needed)
        {
            throw Qcow2Errors.Corrupt($"The block table of the Parallels image has {EntryCount} entries, and the disk of {Size} bytes needs {needed}.");
        }

        if (TableEnd > fileLength)
        {
            throw Qcow2Errors.PastEnd("The block table of the Parallels image", Length, (ulong)(TableEnd - Length), fileLength);
        }
    }
}
