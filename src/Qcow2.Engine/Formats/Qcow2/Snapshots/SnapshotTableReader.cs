using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Snapshots;

/// <summary>Reads the entries of a snapshot table, however damaged, and says what is wrong with each.</summary>
internal sealed class SnapshotTableReader(BlockStorage storage, Qcow2Header header)
{
    // Entries have no common length, so the table is read a piece at a time; the longest sound entry fits in one.
    private const int PieceLength = 256 * 1024;

    private readonly long _fileLength = storage.Length;
    private byte[] _piece = [];
    private long _pieceStart;
    private int _filled;

    /// <summary>Reads as many entries as can be found.</summary>
    /// <param name="entries">Where they go.</param>
    /// <returns>What is wrong with the table as a whole; null if it was read to its end.</returns>
    internal string? Read(List<SnapshotTableEntry> entries)
    {
        long start = header.SnapshotsOffset;
        if (start is <= 0 or >= Qcow2Limits.HostOffsetEnd || !header.Geometry.IsClusterAligned(start))
        {
            return $"snapshots_offset is 0x{start:x}, where no snapshot table can lie.";
        }

        bool isTooLong = header.SnapshotCount > Qcow2Limits.MaxSnapshots;
        long count = Math.Min(header.SnapshotCount, Qcow2Limits.MaxSnapshots);
        long position = start;
        for (int i = 0; i < count; i++)
        {
            if (Fetch(position, SnapshotTableEntry.FixedLength).Length < SnapshotTableEntry.FixedLength)
            {
                return PastEnd(i);
            }

            int length;
            try
            {
                length = SnapshotTableEntry.ReadTotalLength(Fetch(position, SnapshotTableEntry.FixedLength));
            }
            catch (Qcow2Exception e)
            {
                return $"Entry {i} of {header.SnapshotCount} of the snapshot table cannot be read: {e.Message}";
            }

            if (position + length - start > Qcow2Limits.MaxSnapshotTableBytes)
            {
                return $"Entry {i} of {header.SnapshotCount} of the snapshot table cannot be read: the table would be larger than {Qcow2Limits.MaxSnapshotTableBytes} bytes.";
            }

            SnapshotTableEntry entry;
            try
            {
                entry = SnapshotTableEntry.Parse(Fetch(position, length), header.Geometry);
            }
            catch (Qcow2Exception e)
            {
                return $"{PastEnd(i)} {e.Message}"; // The padding does not matter: the last entry of a file may lack it.
            }

            if (isTooLong && IsEmpty(entry))
            {
                break; // The count is wrong, and this is where the entries end.
            }

            entries.Add(entry with { Problem = entry.Problem ?? FindProblem(entry) });
            position += length;
        }

        return isTooLong ? $"nb_snapshots is {header.SnapshotCount}; the limit is {Qcow2Limits.MaxSnapshots}." : null;
    }

    private static bool IsEmpty(SnapshotTableEntry entry)
        => entry is { L1TableOffset: 0, L1Size: 0, DateSeconds: 0, VmClockNanoseconds: 0, ExtraData.IsEmpty: true, IdBytes.IsEmpty: true, NameBytes.IsEmpty: true };

    /// <summary>What only the file and the header can show.</summary>
    private string? FindProblem(SnapshotTableEntry entry)
    {
        if (IsEmpty(entry) && header.Size > 0)
        {
            return "Its entry in the snapshot table is empty.";
        }

        long length = (long)entry.L1Size * L1Entry.Length;
        if (length > 0 && entry.L1TableOffset > _fileLength - length)
        {
            return Qcow2Errors.PastEnd("Its L1 table", (ulong)entry.L1TableOffset, (ulong)length, _fileLength).Message;
        }

        if (length > 0 && entry.L1TableOffset == 0)
        {
            return "Its L1 table is said to lie at 0x0, where the header lies.";
        }

        ulong size = entry.DiskSize ?? (ulong)header.Size;
        return size > long.MaxValue || header.Geometry.L1EntriesFor((long)size) > entry.L1Size
            ? $"Its L1 table has {entry.L1Size} entries, too few for its disk of {size} bytes."
            : null;
    }

    private string PastEnd(int index)
        => $"The snapshot table at 0x{header.SnapshotsOffset:x} runs past the end of the file at 0x{_fileLength:x}: "
            + $"entry {index} of {header.SnapshotCount} is not all there.";

    /// <summary>Bytes of the file; fewer than were asked for where it ends.</summary>
    private ReadOnlySpan<byte> Fetch(long position, int length)
    {
        bool isHere = position >= _pieceStart && position + length <= _pieceStart + _filled;
        if (!isHere)
        {
            // No more memory than the file has bytes, however long an entry claims to be.
            int wanted = (int)Math.Min(Math.Max(PieceLength, length), Math.Max(0, _fileLength - position));
            if (_piece.Length < wanted)
            {
                _piece = new byte[wanted];
            }

            _pieceStart = position;
            _filled = storage.Read(position, _piece.AsSpan(0, wanted));
        }

        int at = (int)(position - _pieceStart);
        return _piece.AsSpan(at, Math.Min(length, _filled - at));
    }
}
