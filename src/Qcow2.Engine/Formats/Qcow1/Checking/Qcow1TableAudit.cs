using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Qcow1.Checking;

/// <summary>Looks at the L1 table, at each L2 table once however many entries lead to it, and at where the clusters lie.</summary>
/// <remarks>Compressed clusters lie at any byte and share sectors: of them only the bounds are looked at, and leaks are not looked for.</remarks>
internal sealed class Qcow1TableAudit(FileCheck check, Qcow1Header header)
{
    private const string L1 = "L1 table";
    private const string L2 = "L2 table";
    private const ulong CompressedFlag = 1UL << 63;
    private const int SectorSize = 512;

    private readonly BlockSpace _space = new(check, SectorSize);
    private readonly long _clusters = (header.Size >> header.ClusterBits) + ((header.Size & (header.ClusterSize - 1)) != 0 ? 1 : 0);
    private readonly long _tableLength = (long)sizeof(ulong) << header.L2Bits;
    private long _next = -1;

    internal void Run()
    {
        check.TotalBlocks = _clusters;
        long length = ((_clusters >> header.L2Bits) + ((_clusters & ((1L << header.L2Bits) - 1)) != 0 ? 1 : 0)) * sizeof(ulong);

        // The header, a name and the L1 table may share a sector.
        _space.TryTake(0, Qcow1Header.Length);
        _space.TryTake(header.L1Offset, length);
        check.JudgeTables(header.L1Offset, L1, length, _space.FileLength);
        TableScan.Run(check.File, header.L1Offset, length, skipsHoles: true, Look, check.CancellationToken);

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            for (int i = 0; i <= entries.Length - sizeof(ulong); i += sizeof(ulong))
            {
                check.Report(position + i, length);
                ulong entry = BinaryPrimitives.ReadUInt64BigEndian(entries.Slice(i));
                if (entry != 0)
                {
                    ExamineTable((position + i) / sizeof(ulong), entry);
                }
            }
        }
    }

    private void ExamineTable(long index, ulong table)
    {
        long at = header.L1Offset + (index * sizeof(ulong));
        string? fault = table % sizeof(ulong) != 0 ? "which is no place of a table"
            : table < Qcow1Header.Length ? "in the header"
            : _tableLength > _space.FileLength || table > (ulong)(_space.FileLength - _tableLength) ? $"and the file ends at 0x{_space.FileLength:x}" : null;
        if (fault is not null)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, table % sizeof(ulong) != 0 ? Qcow2CheckFindingKind.Misaligned : Qcow2CheckFindingKind.PastEndOfFile, at, L1,
                $"Entry {index} of the L1 table leads to an L2 table at 0x{table:x}, {fault}.", null, table);
            return;
        }

        if (!_space.TryTake((long)table, _tableLength))
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, at, L1, $"The L2 table at 0x{table:x}, of entry {index} of the L1 table, lies where something else lies, too.", null, table);
            return;
        }

        long first = index << header.L2Bits;
        TableScan.Run(check.File, (long)table, Math.Min(1L << header.L2Bits, _clusters - first) * sizeof(ulong), skipsHoles: true, Look, check.CancellationToken);

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            for (int i = 0; i <= entries.Length - sizeof(ulong); i += sizeof(ulong))
            {
                ulong entry = BinaryPrimitives.ReadUInt64BigEndian(entries.Slice(i));
                if (entry != 0)
                {
                    ExamineCluster(first + ((position + i) / sizeof(ulong)), entry, (long)table + position + i);
                }
            }
        }
    }

    private void ExamineCluster(long cluster, ulong entry, long at)
    {
        check.AllocatedBlocks++;
        if (entry >= CompressedFlag)
        {
            int offsetBits = 63 - header.ClusterBits;
            long offset = (long)(entry & ((1UL << offsetBits) - 1));
            long length = (long)((entry & ~CompressedFlag) >> offsetBits);
            check.CompressedBlocks++;
            check.FragmentedBlocks++;
            if (length == 0 || offset < Qcow1Header.Length || offset > _space.FileLength - length)
            {
                Add(Qcow2CheckFindingKind.PastEndOfFile, cluster, entry, at, $"is compressed, and said to have {length} bytes at 0x{offset:x}; the file ends at 0x{_space.FileLength:x}");
            }

            return;
        }

        long needed = Math.Min(header.ClusterSize, header.Size - (cluster << header.ClusterBits));
        check.FragmentedBlocks += _next >= 0 && _next != (long)entry ? 1 : 0;
        _next = (long)entry + header.ClusterSize;
        if (entry % SectorSize != 0)
        {
            Add(Qcow2CheckFindingKind.Misaligned, cluster, entry, at, $"is said to lie at 0x{entry:x}, which is no sector");
        }
        else if ((long)entry > _space.FileLength - needed)
        {
            bool isCut = (long)entry < _space.FileLength;
            Add(
                isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, cluster, entry, at,
                $"lies at 0x{entry:x}, {(isCut ? "and its end is missing" : "past the end of the file")}: that is 0x{_space.FileLength:x}");
        }
        else if (!_space.TryTake((long)entry, needed))
        {
            Add(Qcow2CheckFindingKind.BlockOverlap, cluster, entry, at, $"lies at 0x{entry:x}, where something else lies, too");
        }
    }

    private void Add(Qcow2CheckFindingKind kind, long cluster, ulong entry, long at, string what)
        => check.Add(Qcow2CheckSeverity.Corruption, kind, at, L2, () => $"The cluster for guest offset 0x{cluster << header.ClusterBits:x} {what}.", null, entry);
}
