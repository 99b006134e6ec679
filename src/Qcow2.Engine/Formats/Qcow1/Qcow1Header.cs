using System.Buffers.Binary;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow1;

/// <summary>The header of a QCOW image of version 1. All numbers in it are big-endian.</summary>
/// <param name="Size">Size of the disk, in bytes.</param>
/// <param name="ClusterBits">Size of a cluster, as a power of two.</param>
/// <param name="L2Bits">Entries of an L2 table, as a power of two.</param>
/// <param name="EncryptionMethod">How the data is encrypted.</param>
/// <param name="L1Offset">Where the L1 table lies.</param>
/// <param name="BackingFile">Name of the backing file, as stored; its format is not recorded. Null for none.</param>
internal sealed record Qcow1Header(long Size, int ClusterBits, int L2Bits, EncryptionMethod EncryptionMethod, long L1Offset, string? BackingFile)
{
    internal const int Length = 48;

    private const int MinClusterBits = 9;
    private const int MaxClusterBits = 16;

    /// <summary>L2 tables have between 512 bytes and 64 KiB.</summary>
    private const int MinL2Bits = 6;
    private const int MaxL2Bits = 13;

    /// <summary>QEMU's limit: an L1 table of 2 GiB.</summary>
    private const ulong MaxL1Entries = int.MaxValue / sizeof(ulong);

    /// <summary>The mark of the format: "QFI", 0xfb and the version.</summary>
    internal static ReadOnlySpan<byte> Mark => [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1];

    internal int ClusterSize => 1 << ClusterBits;

    /// <summary>Reads the header of a file.</summary>
    /// <exception cref="Qcow2Exception">It is no image of this version, or its fields are not possible.</exception>
    internal static Qcow1Header Load(BlockStorage file)
    {
        byte[] bytes = new byte[Length];
        file.ReadZeroPadded(0, bytes);
        if (!bytes.AsSpan().StartsWith(Mark))
        {
            throw new Qcow2Exception(Qcow2ErrorCode.FormatMismatch, "The file does not begin with 'QFI\\xfb' and the version 1: it is no QCOW image of version 1.");
        }

        uint method = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(36));
        if (method > (uint)EncryptionMethod.Aes)
        {
            throw Qcow2Errors.Unsupported($"crypt_method is {method}; 0 (none) and 1 (AES) are known.");
        }

        int clusterBits = Bits("cluster_bits", bytes[32], MinClusterBits, MaxClusterBits);
        int l2Bits = Bits("l2_bits", bytes[33], MinL2Bits, MaxL2Bits);
        ulong size = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(24));
        ulong l1Offset = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(40));
        RequireTable(file, l1Offset, L1Entries(size, clusterBits + l2Bits));
        ulong nameOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(8));
        uint nameLength = nameOffset == 0 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(16));
        return new Qcow1Header(
            (long)size, clusterBits, l2Bits, (EncryptionMethod)method, (long)l1Offset, StoredName.Read(file, nameOffset, nameLength, Length, file.Length));
    }

    private static int Bits(string field, byte value, int min, int max)
        => value >= min && value <= max ? value : throw new Qcow2Exception(Qcow2ErrorCode.LimitExceeded, $"{field} is {value}; the limits are {min} and {max}.");

    /// <summary>Entries that a disk needs, of which each leads to a table of this many bytes of it (as a power of two).</summary>
    private static ulong L1Entries(ulong size, int coveredBits)
    {
        ulong entries = (size >> coveredBits) + ((size & ((1UL << coveredBits) - 1)) == 0 ? 0UL : 1UL);
        return entries <= MaxL1Entries ? entries : throw Qcow2Errors.Limit("The number of entries that the L1 table needs for the disk", entries, MaxL1Entries);
    }

    private static void RequireTable(BlockStorage file, ulong offset, ulong entries)
    {
        if (offset % sizeof(ulong) != 0)
        {
            throw Qcow2Errors.Misaligned("l1_table_offset", offset, sizeof(ulong));
        }

        ulong length = entries * sizeof(ulong);
        if (offset < Length || length > (ulong)file.Length || offset > (ulong)file.Length - length)
        {
            throw Qcow2Errors.PastEnd("The L1 table", offset, length, file.Length);
        }
    }
}
