using System.Buffers.Binary;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Reads the snapshot table for a check, which an ordinary reader would refuse at the first damaged entry.</summary>
internal static class SnapshotAudit
{
    private const int PieceLength = 256 * 1024;

    /// <summary>Reads the table and counts it.</summary>
    /// <returns>The L1 table of each snapshot whose entry says where that is; null if the table cannot be read.</returns>
    internal static List<SnapshotL1>? Run(AuditContext context)
    {
        Qcow2Header header = context.Header;
        var tables = new List<SnapshotL1>();
        if (header.SnapshotCount == 0)
        {
            return tables;
        }

        if (context.HasDataFile)
        {
            Report(context, -1, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SnapshotsWithDataFile, HeaderField.SnapshotCount,
                $"The image has {header.SnapshotCount} internal snapshots and an external data file, which exclude each other.");
        }

        if (header.SnapshotCount > Qcow2Limits.MaxSnapshots || header.SnapshotsOffset <= 0 || !context.Geometry.IsClusterAligned(header.SnapshotsOffset))
        {
            Report(context, -1, Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.SnapshotTableDamaged, HeaderField.SnapshotCount,
                $"The snapshot table cannot be read: {header.SnapshotCount} snapshots at 0x{header.SnapshotsOffset:x}; "
                + $"there are at most {Qcow2Limits.MaxSnapshots}, and their table starts where a cluster starts.");
            return null;
        }

        var ids = new HashSet<string>(StringComparer.Ordinal);
        byte[] piece = new byte[PieceLength];
        long pieceStart = -1;
        int filled = 0;
        long position = header.SnapshotsOffset;
        long end = position;
        for (int i = 0; i < header.SnapshotCount; i++)
        {
            position = (end + 7) & ~7L;
            if (pieceStart < 0 || position - pieceStart > PieceLength / 2)
            {
                pieceStart = position;
                filled = context.Image.Read(position, piece);
            }

            ReadOnlySpan<byte> rest = piece.AsSpan(Math.Min(filled, (int)(position - pieceStart)), Math.Max(0, filled - (int)(position - pieceStart)));
            int length = rest.Length < SnapshotTableEntry.FixedLength ? 0 : LengthOf(rest);
            if (length == 0 || length > rest.Length || position + length - header.SnapshotsOffset > Qcow2Limits.MaxSnapshotTableBytes)
            {
                Report(context, i, Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.SnapshotTableDamaged, position,
                    $"Entry {i} of {header.SnapshotCount} of the snapshot table, at 0x{position:x}, cannot be read: it passes the end of the file or a limit.");
                return null;
            }

            Examine(context, i, position, rest.Slice(0, length), ids, tables);
            end = position + length;
        }

        context.UseMetadata(CheckStage.Snapshots.At(long.MaxValue), HeaderField.SnapshotsOffset, header.SnapshotsOffset, end - header.SnapshotsOffset, "the snapshot table");
        return tables;
    }

    /// <summary>Length of an entry without its padding; 0 if it passes a limit.</summary>
    private static int LengthOf(ReadOnlySpan<byte> entry)
    {
        uint extra = BinaryPrimitives.ReadUInt32BigEndian(entry.Slice(36));
        return extra > Qcow2Limits.MaxSnapshotExtraDataBytes ? 0
            : SnapshotTableEntry.FixedLength + (int)extra
            + BinaryPrimitives.ReadUInt16BigEndian(entry.Slice(12)) + BinaryPrimitives.ReadUInt16BigEndian(entry.Slice(14));
    }

    private static void Examine(AuditContext context, int index, long position, ReadOnlySpan<byte> entry, HashSet<string> ids, List<SnapshotL1> tables)
    {
        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(entry);
        uint size = BinaryPrimitives.ReadUInt32BigEndian(entry.Slice(8));
        int idLength = BinaryPrimitives.ReadUInt16BigEndian(entry.Slice(12));
        int extra = BinaryPrimitives.ReadInt32BigEndian(entry.Slice(36));
        string id = FormatText.Decode(entry.Slice(SnapshotTableEntry.FixedLength + extra, idLength));
        string name = $"snapshot '{PrintableText.Of(id)}'";

        if (context.Header.Version >= 3 && extra < SnapshotTableEntry.Version3ExtraDataLength)
        {
            Report(context, index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SnapshotDamaged, position,
                $"The entry of {name} has {extra} bytes of extra data; version 3 wants at least {SnapshotTableEntry.Version3ExtraDataLength}.");
        }

        if (!ids.Add(id))
        {
            Report(context, index, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.SnapshotDamaged, position, $"More than one snapshot has the id of {name}; ids are unique.");
        }

        if (extra >= SnapshotTableEntry.Version3ExtraDataLength)
        {
            ulong diskSize = BinaryPrimitives.ReadUInt64BigEndian(entry.Slice(SnapshotTableEntry.FixedLength + 8));
            if (diskSize > long.MaxValue || context.Geometry.L1EntriesFor((long)diskSize) > size)
            {
                Report(context, index, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.SnapshotDamaged, position,
                    $"The L1 table of {name} has {size} entries, too few for its disk of {diskSize} bytes.");
            }
        }

        if ((offset & (uint)(context.Geometry.ClusterSize - 1)) != 0 || (size > 0 && offset >= (ulong)Qcow2Limits.HostOffsetEnd))
        {
            context.LacksL1 = true;
            Report(context, index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SnapshotDamaged, position,
                $"The L1 table of {name} is said to lie at 0x{offset:x}, where none can lie.");
        }
        else if (size > Qcow2Limits.MaxL1TableBytes / L1Entry.Length)
        {
            context.LacksL1 = true;
            Report(context, index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SnapshotDamaged, position,
                $"The L1 table of {name} is said to have {size} entries; the limit is {Qcow2Limits.MaxL1TableBytes / L1Entry.Length}.");
        }
        else if (size > 0)
        {
            tables.Add(new SnapshotL1(name, position, (long)offset, (long)size * L1Entry.Length));
        }
    }

    private static void Report(AuditContext context, int index, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long position, string message)
    {
        context.HasDamagedSnapshots |= kind is not Qcow2CheckFindingKind.SnapshotsWithDataFile;
        context.Log.Add(CheckStage.Snapshots.At(index, (int)kind), severity, 1, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = position,
            Cluster = position >> context.Geometry.ClusterBits,
            Table = "Snapshot table",
            Message = message,
        });
    }
}

/// <summary>The L1 table of a snapshot.</summary>
/// <param name="Name">What to call the snapshot.</param>
/// <param name="Entry">Host offset of its entry in the snapshot table.</param>
/// <param name="Offset">Host offset of the L1 table.</param>
/// <param name="Length">Its length in bytes.</param>
internal readonly record struct SnapshotL1(string Name, long Entry, long Offset, long Length);
