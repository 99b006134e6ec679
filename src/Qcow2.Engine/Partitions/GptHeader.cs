using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Partitions;

/// <summary>A header of a GPT with its sound entries (UEFI 2.10, section 5.3.2, table 5.5).</summary>
internal sealed class GptHeader
{
    private const int MinSize = 92;
    private const int SumField = 16;
    private const int EntrySizeUnit = 128;
    private const int MaxEntrySize = 4096;

    /// <summary>UEFI asks for 16 KiB, which is 128 entries; everybody writes that. Linux takes no more than 4 MiB.</summary>
    private const long MaxTableSize = 1 << 20;

    private GptHeader(ulong lba, int sectorSize, ReadOnlySpan<byte> bytes)
    {
        Lba = lba;
        SectorSize = sectorSize;
        AlternateLba = U64(bytes, 32);
        FirstUsableLba = U64(bytes, 40);
        LastUsableLba = U64(bytes, 48);
        DiskId = new Guid(bytes.Slice(56, 16).ToArray());
        EntryCount = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(80));
        EntrySize = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(84));
        EntriesOffset = SuperblockText.Product(U64(bytes, 72), (ulong)sectorSize);
    }

    /// <summary>Where this header lies, in sectors.</summary>
    internal ulong Lba { get; }

    /// <summary>Where the other one lies.</summary>
    internal ulong AlternateLba { get; }

    internal ulong FirstUsableLba { get; }

    internal ulong LastUsableLba { get; }

    internal int SectorSize { get; }

    internal Guid DiskId { get; }

    internal uint EntryCount { get; }

    internal uint EntrySize { get; }

    /// <summary>The entries, whose sum is right; null where it is not, or where they cannot be read.</summary>
    internal byte[]? Entries { get; private set; }

    private long? EntriesOffset { get; }

    private long TableSize => (long)EntryCount * EntrySize;

    /// <summary>Reads a header, and its entries where they are sound.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="lba">Where the header lies.</param>
    /// <param name="sectorSize">Bytes of a sector.</param>
    /// <param name="fault">What is wrong, of a place that has the mark of a header; null for nothing, and where there is no such mark.</param>
    /// <returns>The header, whose own sum is right; null for none.</returns>
    internal static GptHeader? Read(VirtualDisk disk, ulong lba, int sectorSize, out string? fault)
    {
        fault = null;
        var bytes = new VolumeBytes(disk, 0, disk.Length);
        ReadOnlySpan<byte> sector = SuperblockText.Product(lba, (ulong)sectorSize) is long offset ? bytes.At(offset, sectorSize) : default;
        if (!sector.StartsWith("EFI PART"u8))
        {
            fault = bytes.Damage is null ? null : "the image is damaged there";
            return null;
        }

        uint size = BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(12));
        if (size < MinSize || size > sectorSize || Crc32.OfAllBut(sector.Slice(0, (int)size), SumField) != BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(SumField)))
        {
            fault = "its check sum is wrong";
            return null;
        }

        if (U64(sector, 24) != lba)
        {
            fault = $"it was written for sector {U64(sector, 24)}";
            return null;
        }

        var header = new GptHeader(lba, sectorSize, sector);
        header.Entries = header.ReadEntries(bytes, BinaryPrimitives.ReadUInt32LittleEndian(sector.Slice(88)), out fault);
        return header;
    }

    private static ulong U64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(offset));

    private byte[]? ReadEntries(VolumeBytes disk, uint sum, out string? fault)
    {
        fault = null;
        if (EntrySize is < EntrySizeUnit or > MaxEntrySize || (EntrySize & (EntrySize - 1)) != 0 || TableSize > MaxTableSize)
        {
            fault = $"it says that there are {EntryCount} entries of {EntrySize} bytes";
            return null;
        }

        if (EntriesOffset is not long start || start > disk.Length - TableSize)
        {
            fault = "its entries would lie past the end of the disk";
            return null;
        }

        ReadOnlySpan<byte> entries = disk.At(start, (int)TableSize);
        if (entries.Length != TableSize || Crc32.Of(entries) != sum)
        {
            fault = disk.Damage is null ? "the check sum of its entries is wrong" : "the image is damaged there";
            return null;
        }

        return entries.ToArray();
    }
}
