using System.Buffers.Binary;
using System.Globalization;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Writes the snapshot table anew where it cannot be used as it is, past the end of everything, and switches to it with one write
/// into the header's first sector. What can be kept of a snapshot is kept; only one whose L1 table lies nowhere is dropped, and
/// what passes the format's limits.
/// </summary>
internal sealed class SnapshotTableRepair(ImageAudit audit, RepairReport report, Action beforeWrite, CancellationToken cancellationToken)
{
    private readonly AuditContext _context = audit.Context!;
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private readonly HashSet<long> _l1Offsets = [];

    /// <summary>L1 tables that a snapshot gets for its own: which entry, and the content.</summary>
    private readonly List<(int Entry, ulong[] Content)> _l1Tables = [];

    private bool _isChanged;

    /// <summary>Repairs the table.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        if (_context.Header.SnapshotCount == 0 || !_context.HasDamagedSnapshots)
        {
            return false;
        }

        SnapshotScan scan = SnapshotScan.Read(_context.Image, _context.Header, cancellationToken);
        foreach (ScannedSnapshot snapshot in scan.Entries)
        {
            _ids.Add(FormatText.Decode(snapshot.Id.Span));
        }

        List<SnapshotTableEntry> entries = Mend(scan);
        if (!_isChanged)
        {
            return false;
        }

        return Write(entries);
    }

    private List<SnapshotTableEntry> Mend(SnapshotScan scan)
    {
        if (scan.Missing > 0)
        {
            Note($"{scan.Missing} of {_context.Header.SnapshotCount} snapshots were removed: they lie past the end of the file or of the format's limits.");
        }

        var entries = new List<SnapshotTableEntry>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (ScannedSnapshot snapshot in scan.Entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (snapshot.IsEmpty)
            {
                Note("An entry of the snapshot table with nothing in it was removed.");
            }
            else if (MendL1(snapshot, entries.Count) is SnapshotTableEntry entry)
            {
                entries.Add(MendId(MendExtraData(entry, snapshot), snapshot, seen));
            }
        }

        return Fit(entries);
    }

    /// <summary>Makes a table fit that is too large: first without extra data that nobody knows, then without its last snapshots.</summary>
    private List<SnapshotTableEntry> Fit(List<SnapshotTableEntry> entries)
    {
        if (entries.Sum(entry => (long)entry.TotalLength) > Qcow2Limits.MaxSnapshotTableBytes)
        {
            Note("The snapshot table was too large: extra data of snapshots that goes beyond what is known was removed.");
            entries = [.. entries.Select(entry => entry.ExtraData.Length > SnapshotTableEntry.KnownExtraDataLength
                ? entry with { ExtraData = entry.ExtraData.Slice(0, SnapshotTableEntry.KnownExtraDataLength) } : entry)];
        }

        long length = 0;
        int fitting = 0;
        while (fitting < entries.Count && length + entries[fitting].TotalLength <= Qcow2Limits.MaxSnapshotTableBytes)
        {
            length += entries[fitting++].TotalLength;
        }

        if (fitting < entries.Count)
        {
            Note($"The last {entries.Count - fitting} snapshots were removed: the snapshot table would be larger than {Qcow2Limits.MaxSnapshotTableBytes} bytes.");
            entries.RemoveRange(fitting, entries.Count - fitting);
            _l1Tables.RemoveAll(table => table.Entry >= fitting);
        }

        return entries;
    }

    /// <returns>Null for a snapshot of which nothing can be read.</returns>
    private SnapshotTableEntry? MendL1(ScannedSnapshot snapshot, int index)
    {
        const uint MostEntries = (uint)(Qcow2Limits.MaxL1TableBytes / L1Entry.Length);
        ulong offset = snapshot.L1Offset;
        long length = (long)snapshot.L1Size * L1Entry.Length;
        if (offset >= (ulong)Qcow2Limits.HostOffsetEnd || !_context.Geometry.IsClusterAligned((long)offset) || snapshot.L1Size > MostEntries
            || (snapshot.L1Size > 0 && (long)offset >= _context.FileLength))
        {
            Note($"The {snapshot.Shown} was removed: its L1 table of {snapshot.L1Size} entries is said to lie at 0x{offset:x}, where there is none.");
            return null;
        }

        SnapshotTableEntry entry = snapshot.ToEntry();
        if (snapshot.L1Size == 0 || (_context.IsInFile((long)offset, length) && _l1Offsets.Add((long)offset) && !_context.IsShared((long)offset, length, 1)))
        {
            return entry;
        }

        // Whatever else lies there, this is what the snapshot shows; what does not lie in the file reads as zeros.
        int size = (int)Math.Min(entry.L1Size, snapshot.L1EntriesNeeded(_context.Header));
        ulong[] content = new ulong[size];
        int inFile = (int)Math.Min(size, (_context.FileLength - (long)offset) / L1Entry.Length);
        BigEndianTable.Read(_context.Image, (long)offset, content.AsSpan(0, inFile));
        _l1Tables.Add((index, content));
        Note($"The {snapshot.Shown} got an L1 table of its own: the one at 0x{offset:x} {(_context.IsInFile((long)offset, length) ? "is used by something else, too" : "does not end in the file")}.");
        return entry with { L1Size = size };
    }

    private SnapshotTableEntry MendExtraData(SnapshotTableEntry entry, ScannedSnapshot snapshot)
    {
        if (snapshot.ExtraLength > Qcow2Limits.MaxSnapshotExtraDataBytes)
        {
            Note($"The {snapshot.Shown} had {snapshot.ExtraLength} bytes of extra data: what goes beyond the known {SnapshotTableEntry.KnownExtraDataLength} was removed.");
            return entry with { ExtraData = entry.ExtraData.Slice(0, SnapshotTableEntry.KnownExtraDataLength) };
        }

        if (snapshot.ExtraLength != snapshot.ClaimedExtraLength)
        {
            Note($"The {snapshot.Shown} claimed {snapshot.ClaimedExtraLength} bytes of extra data, more than the file holds; it has {snapshot.ExtraLength} now.");
        }

        if (_context.Header.Version < 3 || entry.ExtraData.Length >= SnapshotTableEntry.Version3ExtraDataLength)
        {
            return entry;
        }

        // As for a snapshot of version 2: it is as large as the disk is, if its table is.
        long size = Math.Min(_context.Header.Size, (long)entry.L1Size << _context.Geometry.L1CoverageBits);
        byte[] extra = new byte[SnapshotTableEntry.KnownExtraDataLength];
        BinaryPrimitives.WriteUInt64BigEndian(extra, entry.VmStateSize);
        BinaryPrimitives.WriteInt64BigEndian(extra.AsSpan(8), size);
        BinaryPrimitives.WriteUInt64BigEndian(extra.AsSpan(16), ulong.MaxValue);
        Note($"The {snapshot.Shown} had no disk size: it has that of the disk now, {size} bytes.");
        return entry with { ExtraData = extra };
    }

    private SnapshotTableEntry MendId(SnapshotTableEntry entry, ScannedSnapshot snapshot, HashSet<string> seen)
    {
        if (seen.Add(entry.Id))
        {
            return entry;
        }

        int next = 1;
        while (!_ids.Add(next.ToString(CultureInfo.InvariantCulture)))
        {
            next++;
        }

        string id = next.ToString(CultureInfo.InvariantCulture);
        seen.Add(id);
        Note($"The {snapshot.Shown} has the id {id} now: another snapshot has the one that it had.");
        return entry with { IdBytes = FormatText.Encode(id) };
    }

    private void Note(string message)
    {
        _isChanged = true;
        report.Add(Qcow2CheckFindingKind.SnapshotDamaged, HeaderField.SnapshotsOffset, "Snapshot table", message);
    }

    private bool Write(List<SnapshotTableEntry> entries)
    {
        long offset = 0;
        if (entries.Count > 0)
        {
            long tableClusters = ClustersOf(entries.Sum(entry => (long)entry.TotalLength));
            if (RepairSpace.Take(_context, tableClusters + _l1Tables.Sum(table => ClustersOf((long)table.Content.Length * L1Entry.Length))) is not RepairSpace space)
            {
                report.Withdraw();
                return false;
            }

            offset = space.Offset;
            beforeWrite();
            WriteL1Tables(entries, offset + (tableClusters << _context.Geometry.ClusterBits));
            byte[] table = new byte[tableClusters << _context.Geometry.ClusterBits];
            SnapshotTable.ToBytes(entries).CopyTo(table, 0);
            _context.Image.Write(offset, table);
            space.Commit();
        }

        beforeWrite();
        Span<byte> fields = stackalloc byte[sizeof(uint) + sizeof(ulong)];
        BinaryPrimitives.WriteInt32BigEndian(fields, entries.Count);
        BinaryPrimitives.WriteInt64BigEndian(fields.Slice(sizeof(uint)), offset);
        _context.Image.Write(HeaderField.SnapshotCount, fields);
        _context.Image.Flush();
        report.Settle();
        return true;
    }

    private void WriteL1Tables(List<SnapshotTableEntry> entries, long place)
    {
        foreach ((int index, ulong[] content) in _l1Tables)
        {
            ulong[] whole = new ulong[ClustersOf((long)content.Length * L1Entry.Length) << _context.Geometry.ClusterBits >> 3];
            content.CopyTo(whole, 0);
            BigEndianTable.Write(_context.Image, place, whole);
            entries[index] = entries[index] with { L1TableOffset = place };
            place += (long)whole.Length * L1Entry.Length;
        }
    }

    private long ClustersOf(long bytes) => (bytes + _context.Geometry.ClusterSize - 1) >> _context.Geometry.ClusterBits;
}
