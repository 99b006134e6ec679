using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Qed.Checking;

/// <summary>Looks at the L1 table, at each L2 table once however many entries lead to it, and at where the clusters lie.</summary>
internal sealed class QedTableAudit(FileCheck check, QedHeader header)
{
    private const string L1 = "L1 table";
    private const string L2 = "L2 table";

    private readonly BlockSpace _space = new(check, header.ClusterSize);
    private readonly long _clusters = (header.Size / header.ClusterSize) + (header.Size % header.ClusterSize != 0 ? 1 : 0);
    private long _next = -1;

    internal void Run()
    {
        check.TotalBlocks = _clusters;
        _space.TryTake(0, header.HeaderLength);
        _space.TryTake(header.L1Offset, header.TableLength);
        long length = ((_clusters / header.TableEntries) + (_clusters % header.TableEntries != 0 ? 1 : 0)) * sizeof(ulong);
        TableScan.Run(check.File, header.L1Offset, length, skipsHoles: true, LookAtL1, check.CancellationToken);
        _space.ReportUnused(header.ClusterSize);

        void LookAtL1(long position, ReadOnlySpan<byte> entries)
        {
            for (int i = 0; i <= entries.Length - sizeof(ulong); i += sizeof(ulong))
            {
                check.Report(position + i, length);
                ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(entries.Slice(i));
                if (entry != 0)
                {
                    ExamineTable((position + i) / sizeof(ulong), entry);
                }
            }
        }
    }

    private void ExamineTable(long index, ulong offset)
    {
        long at = header.L1Offset + (index * sizeof(ulong));
        long table;
        try
        {
            table = header.TableAt(offset, $"The L2 table of entry {index} of the L1 table", _space.FileLength);
        }
        catch (Qcow2Exception e)
        {
            bool isMisaligned = offset % (ulong)header.ClusterSize != 0;
            check.Add(Qcow2CheckSeverity.Corruption, isMisaligned ? Qcow2CheckFindingKind.Misaligned : Qcow2CheckFindingKind.PastEndOfFile, at, L1, e.Message, null, offset);
            return;
        }

        // QEMU counts the clusters that are shared, not the tables.
        long shared = 0;
        for (long cluster = table; cluster < table + header.TableLength; cluster += header.ClusterSize)
        {
            shared += _space.TryTake(cluster, header.ClusterSize) ? 0 : 1;
        }

        if (shared > 0)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, at, L1,
                () => $"The L2 table at 0x{table:x}, of entry {index} of the L1 table, lies where something else lies, too.", null, offset, shared);
            return;
        }

        long first = index * header.TableEntries;
        long used = Math.Min(header.TableEntries, _clusters - first) * sizeof(ulong);
        TableScan.Run(check.File, table, used, skipsHoles: true, LookAtL2, check.CancellationToken);

        void LookAtL2(long position, ReadOnlySpan<byte> entries)
        {
            for (int i = 0; i <= entries.Length - sizeof(ulong); i += sizeof(ulong))
            {
                ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(entries.Slice(i));
                if (entry > QedDisk.Zero)
                {
                    ExamineCluster(first + ((position + i) / sizeof(ulong)), entry, table + position + i);
                }
            }
        }
    }

    private void ExamineCluster(long cluster, ulong entry, long at)
    {
        long needed = Math.Min(header.ClusterSize, header.Size - (cluster * header.ClusterSize));
        if (entry % (ulong)header.ClusterSize != 0)
        {
            Add(Qcow2CheckFindingKind.Misaligned, cluster, entry, at, "does not start where a cluster starts");
        }
        else if (entry > (ulong)_space.FileLength || needed > _space.FileLength - (long)entry)
        {
            bool isCut = entry < (ulong)_space.FileLength;
            Add(
                isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, cluster, entry, at,
                isCut ? $"is cut off: the file ends at 0x{_space.FileLength:x}" : $"lies past the end of the file at 0x{_space.FileLength:x}");
        }
        else if (entry < (ulong)header.HeaderLength)
        {
            Add(Qcow2CheckFindingKind.MetadataOverlap, cluster, entry, at, "lies in the header");
        }
        else
        {
            check.AllocatedBlocks++;
            check.FragmentedBlocks += _next >= 0 && _next != (long)entry ? 1 : 0;
            _next = (long)entry + header.ClusterSize;
            if (!_space.TryTake((long)entry, header.ClusterSize))
            {
                Add(Qcow2CheckFindingKind.BlockOverlap, cluster, entry, at, "lies where something else lies, too");
            }
        }
    }

    private void Add(Qcow2CheckFindingKind kind, long cluster, ulong offset, long at, string what)
        => check.Add(Qcow2CheckSeverity.Corruption, kind, at, L2, () => $"The cluster at 0x{offset:x} of the file, for guest offset 0x{cluster * header.ClusterSize:x}, {what}.", null, offset);
}
