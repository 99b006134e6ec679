using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>The snapshot table (spec: "Snapshots").</summary>
internal static class SnapshotTable
{
    // Entries have no common length, so the table is read a piece at a time; the longest entry fits in one.
    private const int PieceLength = 256 * 1024;

    /// <summary>Reads every entry.</summary>
    /// <exception cref="Qcow2Exception">An entry breaks the specification or a limit, or runs past the end of the file.</exception>
    internal static IReadOnlyList<SnapshotTableEntry> Load(BlockStorage storage, Qcow2Header header)
    {
        if (header.SnapshotCount == 0)
        {
            return [];
        }

        long fileLength = storage.Length;
        long position = header.SnapshotsOffset;
        var entries = new List<SnapshotTableEntry>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        byte[] piece = new byte[Math.Min(PieceLength, Math.Max(0, fileLength - position))];
        int filled = storage.Read(position, piece);
        int consumed = 0;

        for (int i = 0; i < header.SnapshotCount; i++)
        {
            bool hasFixedPart = filled - consumed >= SnapshotTableEntry.FixedLength;
            int length = hasFixedPart ? SnapshotTableEntry.ReadTotalLength(piece.AsSpan(consumed)) : SnapshotTableEntry.FixedLength;
            if (filled - consumed < length && consumed > 0)
            {
                position += consumed;
                consumed = 0;
                filled = storage.Read(position, piece);
                hasFixedPart = filled >= SnapshotTableEntry.FixedLength;
                length = hasFixedPart ? SnapshotTableEntry.ReadTotalLength(piece) : length;
            }

            if (!hasFixedPart)
            {
                throw Qcow2Errors.Corrupt(
                    $"The snapshot table at 0x{header.SnapshotsOffset:x} runs past the end of the file at 0x{fileLength:x}: "
                    + $"entry {i} of {header.SnapshotCount} is missing.");
            }

            SnapshotTableEntry entry = SnapshotTableEntry.Parse(piece.AsSpan(consumed, filled - consumed), header.Geometry);
            if (!ids.Add(entry.Id))
            {
                throw Qcow2Errors.Corrupt($"Two snapshots have the id '{FormatText.Printable(entry.Id)}'; ids are unique.");
            }

            entries.Add(entry);
            consumed = Math.Min(filled, consumed + length);
            if (position + consumed - header.SnapshotsOffset > Qcow2Limits.MaxSnapshotTableBytes)
            {
                throw Qcow2Errors.Limit(
                    "The snapshot table's size",
                    (ulong)(position + consumed - header.SnapshotsOffset),
                    (ulong)Qcow2Limits.MaxSnapshotTableBytes,
                    "bytes");
            }
        }

        return entries;
    }

    /// <summary>Lays a table out as it lies in the file.</summary>
    /// <exception cref="Qcow2Exception">It passes the limit of entries or of bytes.</exception>
    internal static byte[] ToBytes(IReadOnlyList<SnapshotTableEntry> entries)
    {
        if (entries.Count > Qcow2Limits.MaxSnapshots)
        {
            throw Qcow2Errors.Limit("The number of snapshots", (ulong)entries.Count, Qcow2Limits.MaxSnapshots);
        }

        long length = entries.Sum(entry => (long)entry.TotalLength);
        if (length > Qcow2Limits.MaxSnapshotTableBytes)
        {
            throw Qcow2Errors.Limit("The snapshot table's size", (ulong)length, (ulong)Qcow2Limits.MaxSnapshotTableBytes, "bytes");
        }

        byte[] table = new byte[length];
        int position = 0;
        foreach (SnapshotTableEntry entry in entries)
        {
            entry.Write(table.AsSpan(position));
            position += entry.TotalLength;
        }

        return table;
    }
}
