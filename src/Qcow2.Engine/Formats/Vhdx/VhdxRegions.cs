using System.Buffers.Binary;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>A stretch of the file with a purpose.</summary>
/// <param name="Name">What to call it.</param>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct VhdxRegion(string Name, long Offset, long Length)
{
    internal long End => Offset + Length;

    internal bool Overlaps(long offset, long length) => offset < End && Offset < offset + length;
}

/// <summary>Where block table and metadata lie ([MS-VHDX] 2.2.3).</summary>
internal sealed record VhdxRegions(VhdxRegion BlockTable, VhdxRegion Metadata)
{
    internal const int TableLength = 64 << 10;
    private const uint Signature = 0x6967_6572; // "regi"
    private const int CheckSumOffset = 4;
    internal const int CountOffset = 8;
    internal const int EntriesOffset = 16;
    internal const int EntryLength = 32;
    private const int MaxEntries = 2047;

    internal static readonly Guid BlockTableId = new("2dc27766-f623-4200-9d64-115e9bfd4a08");
    internal static readonly Guid MetadataId = new("8b7ca206-4790-4b9a-b8fe-575f050f886e");

    /// <summary>Reads the table, from its copy where the first is damaged.</summary>
    /// <param name="storage">The file, with what its log holds.</param>
    /// <param name="log">Where the log lies, which no region may touch; null where there is none to speak of.</param>
    /// <param name="problems">Told what is wrong without being in the way.</param>
    /// <exception cref="Qcow2Exception">Neither copy is valid, or what it says is not possible.</exception>
    internal static VhdxRegions Load(BlockStorage storage, VhdxRegion? log, ICollection<string> problems)
    {
        byte[] table = new byte[TableLength];
        storage.ReadZeroPadded(VhdxLimits.FirstRegionTableOffset, table);
        if (ProblemOf(table) is string problem)
        {
            storage.ReadZeroPadded(VhdxLimits.SecondRegionTableOffset, table);
            if (ProblemOf(table) is string other)
            {
                throw Qcow2Errors.Corrupt(
                    $"Neither region table of the VHDX file is valid: the one at 0x{VhdxLimits.FirstRegionTableOffset:x} {problem}, the one at 0x{VhdxLimits.SecondRegionTableOffset:x} {other}.");
            }

            problems.Add($"The region table at 0x{VhdxLimits.FirstRegionTableOffset:x} {problem}; its copy counts.");
        }

        return Parse(table, storage.Length, log);
    }

    /// <summary>The bytes of a table that says this, with the check sum that they have.</summary>
    internal byte[] ToBytes()
    {
        byte[] table = new byte[TableLength];
        BinaryPrimitives.WriteUInt32LittleEndian(table, Signature);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(CountOffset), 2);
        Set(table.AsSpan(EntriesOffset), BlockTableId, BlockTable);
        Set(table.AsSpan(EntriesOffset + EntryLength), MetadataId, Metadata);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(CheckSumOffset), Crc32C.OfAllBut(table, CheckSumOffset));
        return table;

        static void Set(Span<byte> entry, Guid id, VhdxRegion region)
        {
            LittleEndian.WriteGuid(entry, id);
            BinaryPrimitives.WriteUInt64LittleEndian(entry.Slice(16), (ulong)region.Offset);
            BinaryPrimitives.WriteUInt32LittleEndian(entry.Slice(24), (uint)region.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry.Slice(28), 1); // Who does not know it must not open the file.
        }
    }

    /// <summary>What is wrong with a table, as the end of a sentence; null if nothing is.</summary>
    internal static string? ProblemOf(ReadOnlySpan<byte> table)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(table) != Signature)
        {
            return "has no signature";
        }

        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(table.Slice(CheckSumOffset));
        uint computed = Crc32C.OfAllBut(table, CheckSumOffset);
        if (stored != computed)
        {
            return $"has the check sum 0x{stored:x8}, and its bytes have 0x{computed:x8}";
        }

        uint count = BinaryPrimitives.ReadUInt32LittleEndian(table.Slice(CountOffset));
        return count <= MaxEntries ? null : $"has {count} entries, where there are at most {MaxEntries}";
    }

    private static VhdxRegions Parse(ReadOnlySpan<byte> table, long fileLength, VhdxRegion? log)
    {
        int count = BinaryPrimitives.ReadInt32LittleEndian(table.Slice(CountOffset));
        var regions = new List<VhdxRegion>(count);
        VhdxRegion? blockTable = null;
        VhdxRegion? metadata = null;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = table.Slice(EntriesOffset + (i * EntryLength), EntryLength);
            Guid id = LittleEndian.ReadGuid(entry);
            bool isRequired = (BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(28)) & 1) != 0;
            if (id == BlockTableId)
            {
                blockTable = TakeOnce(blockTable, Region(entry, "the block allocation table"));
                regions.Add(blockTable.Value);
            }
            else if (id == MetadataId)
            {
                metadata = TakeOnce(metadata, Region(entry, "the metadata"));
                regions.Add(metadata.Value);
            }
            else if (isRequired)
            {
                throw Qcow2Errors.Unsupported($"The VHDX file needs the region {id}, which this version does not know.");
            }
            else
            {
                regions.Add(Region(entry, $"the region {id}"));
            }
        }

        CheckPlaces(regions, fileLength, log);
        return new VhdxRegions(
            blockTable ?? throw Qcow2Errors.Corrupt("The region table of the VHDX file names no block allocation table."),
            metadata ?? throw Qcow2Errors.Corrupt("The region table of the VHDX file names no metadata."));
    }

    private static VhdxRegion TakeOnce(VhdxRegion? before, VhdxRegion region)
        => before is null ? region : throw Qcow2Errors.Corrupt($"The region table of the VHDX file names {region.Name} twice.");

    /// <summary>The place that an entry says.</summary>
    /// <exception cref="Qcow2Exception">No region can lie there.</exception>
    internal static VhdxRegion Region(ReadOnlySpan<byte> entry, string name)
    {
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(entry.Slice(16));
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(24));
        return offset is < VhdxLimits.HeaderSectionLength or > long.MaxValue / 2 || offset % VhdxLimits.MiB != 0 || length == 0 || length % VhdxLimits.MiB != 0
            ? throw Qcow2Errors.Corrupt($"The region table of the VHDX file has {name} at 0x{offset:x}, {length} bytes long; regions are whole MiB, after the first.")
            : new VhdxRegion(name, (long)offset, length);
    }

    private static void CheckPlaces(List<VhdxRegion> regions, long fileLength, VhdxRegion? log)
    {
        if (log is VhdxRegion place)
        {
            regions.Add(place);
        }

        regions.Sort((one, other) => one.Offset.CompareTo(other.Offset));
        for (int i = 0; i < regions.Count; i++)
        {
            VhdxRegion region = regions[i];
            if (region.End > fileLength)
            {
                throw Qcow2Errors.PastEnd(Capital(region.Name), (ulong)region.Offset, (ulong)region.Length, fileLength);
            }

            if (i > 0 && regions[i - 1].End > region.Offset)
            {
                throw Qcow2Errors.Corrupt($"{Capital(region.Name)} at 0x{region.Offset:x} lies on {regions[i - 1].Name} at 0x{regions[i - 1].Offset:x}.");
            }
        }
    }

    internal static string Capital(string text) => char.ToUpperInvariant(text[0]) + text.Substring(1);
}
