using System.Buffers.Binary;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qed;

/// <summary>The header of a QED image. All numbers in it are little-endian.</summary>
/// <param name="Size">Size of the disk, in bytes.</param>
/// <param name="ClusterSize">Unit of allocation.</param>
/// <param name="TableLength">Bytes of the L1 table, and of each L2 table.</param>
/// <param name="HeaderLength">Bytes of the header: what lies behind it are tables and data.</param>
/// <param name="L1Offset">Where the L1 table lies.</param>
/// <param name="NeedsCheck">Whether the image was not closed.</param>
/// <param name="BackingFile">Name of the backing file, as stored; null for none.</param>
/// <param name="IsBackingRaw">Whether the backing file is recorded as a raw disk; of others the format is not recorded.</param>
internal sealed record QedHeader(
    long Size, int ClusterSize, long TableLength, long HeaderLength, long L1Offset, bool NeedsCheck, string? BackingFile, bool IsBackingRaw)
{
    private const int Length = 64;
    private const ulong BackingFileFeature = 1;
    private const ulong NeedsCheckFeature = 2;
    private const ulong RawBackingFeature = 4;
    private const ulong KnownFeatures = BackingFileFeature | NeedsCheckFeature | RawBackingFeature;
    private const uint MinClusterSize = 4096;
    private const uint MaxClusterSize = 64 << 20;
    private const uint MaxTableClusters = 16;
    private const int SectorSize = 512;

    /// <summary>The largest disk: offsets stay far from where 64 bits end.</summary>
    private const ulong MaxSize = 1UL << 60;

    /// <summary>The mark of the format.</summary>
    internal static ReadOnlySpan<byte> Mark => "QED\0"u8;

    /// <summary>Entries of a table.</summary>
    internal long TableEntries => TableLength / sizeof(ulong);

    /// <summary>Reads the header of a file.</summary>
    /// <exception cref="Qcow2Exception">It is no QED image, has features that are not known, or its fields are not possible.</exception>
    internal static QedHeader Load(BlockStorage file)
    {
        byte[] bytes = new byte[Length];
        file.ReadZeroPadded(0, bytes);
        if (!bytes.AsSpan().StartsWith(Mark))
        {
            throw new Qcow2Exception(Qcow2ErrorCode.FormatMismatch, "The file does not begin with 'QED' and a zero: it is no QED image.");
        }

        ulong features = U64(bytes, 16);
        if ((features & ~KnownFeatures) != 0)
        {
            throw Qcow2Errors.Unsupported($"The QED image has features that are not known: 0x{features & ~KnownFeatures:x}.");
        }

        uint clusterSize = U32(bytes, 4);
        uint tableClusters = U32(bytes, 8);
        uint headerClusters = U32(bytes, 12);
        ulong size = U64(bytes, 48);
        RequireSizes(clusterSize, tableClusters, headerClusters, size);
        long headerLength = (long)headerClusters * clusterSize;
        bool hasBacking = (features & BackingFileFeature) != 0;
        var header = new QedHeader(
            (long)size, (int)clusterSize, (long)tableClusters * clusterSize, headerLength, 0, (features & NeedsCheckFeature) != 0,
            hasBacking ? StoredName.Read(file, U32(bytes, 56), U32(bytes, 60), Length, headerLength) : null, (features & RawBackingFeature) != 0);
        return header with { L1Offset = header.TableAt(U64(bytes, 40), "The L1 table", file.Length) };
    }

    /// <summary>Where a table lies, if it lies whole in the file and behind the header.</summary>
    /// <exception cref="Qcow2Exception">It does not.</exception>
    internal long TableAt(ulong offset, string table, long fileLength)
    {
        if (offset % (ulong)ClusterSize != 0)
        {
            throw Qcow2Errors.Misaligned($"{table}'s offset", offset, ClusterSize);
        }

        return offset >= (ulong)HeaderLength && TableLength <= fileLength && offset <= (ulong)(fileLength - TableLength)
            ? (long)offset
            : throw Qcow2Errors.PastEnd($"{table}, which lies behind the header of {HeaderLength} bytes,", offset, (ulong)TableLength, fileLength);
    }

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ulong U64(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));

    private static bool IsPowerOfTwo(uint value) => value != 0 && (value & (value - 1)) == 0;

    private static void RequireSizes(uint clusterSize, uint tableClusters, uint headerClusters, ulong size)
    {
        if (clusterSize is < MinClusterSize or > MaxClusterSize || !IsPowerOfTwo(clusterSize))
        {
            throw Qcow2Errors.Corrupt($"The QED image has clusters of {clusterSize} bytes; they have {MinClusterSize} to {MaxClusterSize}, in a power of two.");
        }

        if (tableClusters > MaxTableClusters || !IsPowerOfTwo(tableClusters))
        {
            throw Qcow2Errors.Corrupt($"The QED image has tables of {tableClusters} clusters; they have 1, 2, 4, 8 or 16.");
        }

        if (headerClusters == 0)
        {
            throw Qcow2Errors.Corrupt("The QED image has a header of no cluster.");
        }

        if (size % SectorSize != 0)
        {
            throw Qcow2Errors.Corrupt($"The QED image has a disk of {size} bytes, which is no number of sectors of {SectorSize} bytes.");
        }

        // As many clusters as the entries of all L2 tables that the L1 table can lead to.
        ulong entries = (ulong)tableClusters * clusterSize / sizeof(ulong);
        ulong clusters = (size / clusterSize) + (size % clusterSize == 0 ? 0UL : 1UL);
        if (size > MaxSize || clusters > entries * entries)
        {
            throw Qcow2Errors.Limit("The size of the QED image's disk", size, Math.Min(MaxSize, entries > 1 << 20 ? MaxSize : entries * entries * clusterSize), "bytes");
        }
    }
}
