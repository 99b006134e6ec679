using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Looks at both region tables, and at where they say that things lie.</summary>
/// <param name="check">Told what was found.</param>
/// <param name="storage">The file, with what its log holds.</param>
internal sealed class VhdxRegionAudit(FileCheck check, BlockStorage storage)
{
    private const string Table = "Region table";

    private readonly List<VhdxRegion> _regions = [];

    /// <summary>Where the block allocation table lies; null if it lies nowhere.</summary>
    internal VhdxRegion? BlockTable { get; private set; }

    /// <summary>Where the metadata lie; null if they lie nowhere.</summary>
    internal VhdxRegion? Metadata { get; private set; }

    /// <summary>All parts of the file that are no blocks.</summary>
    internal IReadOnlyList<VhdxRegion> Regions => _regions;

    internal void Run(VhdxHeader header)
    {
        if (ChooseTable() is not (byte[] table, long place))
        {
            return;
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(table.AsSpan(VhdxRegions.CountOffset));
        for (int i = 0; i < count; i++)
        {
            int at = VhdxRegions.EntriesOffset + (i * VhdxRegions.EntryLength);
            Examine(table.AsSpan(at, VhdxRegions.EntryLength), place + at);
        }

        Require(BlockTable, "block allocation table", place);
        Require(Metadata, "metadata", place);
        if (header.LogLength > 0 && header.LogOffset <= long.MaxValue / 2)
        {
            _regions.Add(new VhdxRegion("the log", header.LogOffset, header.LogLength));
        }

        _regions.Add(new VhdxRegion("the headers", 0, VhdxLimits.HeaderSectionLength));
        ComparePlaces(place);
    }

    private (byte[] Table, long Place)? ChooseTable()
    {
        byte[] first = Read(VhdxLimits.FirstRegionTableOffset);
        byte[] second = Read(VhdxLimits.SecondRegionTableOffset);
        string? firstProblem = VhdxRegions.ProblemOf(first);
        string? secondProblem = VhdxRegions.ProblemOf(second);
        if (firstProblem is not null && secondProblem is not null)
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.HeaderDamaged, VhdxLimits.FirstRegionTableOffset, Table,
                $"Neither region table is valid: the one at 0x{VhdxLimits.FirstRegionTableOffset:x} {firstProblem}, the one at 0x{VhdxLimits.SecondRegionTableOffset:x} {secondProblem}. Nothing else could be checked.");
            return null;
        }

        if (firstProblem is not null || secondProblem is not null)
        {
            long place = firstProblem is not null ? VhdxLimits.FirstRegionTableOffset : VhdxLimits.SecondRegionTableOffset;
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, place, Table,
                $"The region table at 0x{place:x} {firstProblem ?? secondProblem}; its copy counts. QEMU and 7-Zip look at the first one alone.");
        }
        else if (!first.AsSpan().SequenceEqual(second))
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, VhdxLimits.SecondRegionTableOffset, Table,
                "Both region tables are valid, and they differ; the first one counts.");
        }

        return firstProblem is null ? (first, VhdxLimits.FirstRegionTableOffset) : (second, VhdxLimits.SecondRegionTableOffset);
    }

    private byte[] Read(long offset)
    {
        byte[] table = new byte[VhdxRegions.TableLength];
        storage.ReadZeroPadded(offset, table);
        return table;
    }

    private void Examine(ReadOnlySpan<byte> entry, long place)
    {
        Guid id = LittleEndian.ReadGuid(entry);
        bool isRequired = (BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(28)) & 1) != 0;
        bool isTable = id == VhdxRegions.BlockTableId;
        bool isKnown = isTable || id == VhdxRegions.MetadataId;
        string name = isTable ? "the block allocation table" : isKnown ? "the metadata" : $"the region {id}";
        if (isKnown && !isRequired)
        {
            check.Add(
                Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.NotMarkedRequired, place + 28, Table,
                $"{VhdxRegions.Capital(name)} is not marked as required, which the specification wants. QEMU writes it so, and every reader takes it.", 1, 0);
        }
        else if (!isKnown)
        {
            check.Add(
                isRequired ? Qcow2CheckSeverity.Error : Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.FeatureUnknown, place, Table,
                isRequired ? $"The VHDX file needs the region {id}, which this version does not know." : $"The VHDX file has the region {id}, which this version does not know; it can be done without.");
        }

        VhdxRegion region;
        try
        {
            region = VhdxRegions.Region(entry, name);
        }
        catch (Qcow2Exception e)
        {
            check.AddError(e, place, Table);
            return;
        }

        _regions.Add(region);
        if (isKnown && (isTable ? BlockTable : Metadata) is not null)
        {
            check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.HeaderDamaged, place, Table, $"The region table names {name} twice; the first is taken here.");
        }
        else if (isTable)
        {
            BlockTable = region;
        }
        else if (isKnown)
        {
            Metadata = region;
        }
    }

    private void Require(VhdxRegion? region, string name, long place)
    {
        if (region is null)
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.HeaderDamaged, place, Table, $"The region table names no {name} that can be used: what depends on it could not be checked.");
        }
    }

    /// <summary>A table names 2,047 regions at most.</summary>
    private void ComparePlaces(long place)
    {
        _regions.Sort((one, other) => one.Offset.CompareTo(other.Offset));
        VhdxRegion widest = _regions[0];
        for (int i = 0; i < _regions.Count; i++)
        {
            VhdxRegion region = _regions[i];
            if (region.End > storage.Length && region.Name != "the headers")
            {
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.PastEndOfFile, place, Table,
                    Qcow2Errors.PastEnd(VhdxRegions.Capital(region.Name), (ulong)region.Offset, (ulong)region.Length, storage.Length).Message, null, (ulong)region.Offset);
            }

            if (i > 0 && widest.End > region.Offset)
            {
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, place, Table,
                    $"{VhdxRegions.Capital(region.Name)} at 0x{region.Offset:x} lies on {widest.Name} at 0x{widest.Offset:x}.", null, (ulong)region.Offset);
            }

            widest = region.End > widest.End ? region : widest;
        }
    }
}
