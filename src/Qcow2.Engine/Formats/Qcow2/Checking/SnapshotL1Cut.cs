using System.Buffers.Binary;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Shortens L1 tables of snapshots that are said to be longer than their disks need, where what lies behind is not theirs.
/// </summary>
/// <remarks>
/// It comes before every other step: what is taken for entries of such a table is anything, and what that seems to lead to claims
/// so much of the file, and so much past its end, that nothing else could be repaired. One field changes, in place.
/// </remarks>
internal sealed class SnapshotL1Cut(ImageAudit audit, RepairReport report, Action beforeWrite, CancellationToken cancellationToken)
{
    private const int L1SizeOffset = 8;

    private readonly AuditContext _context = audit.Context!;

    /// <summary>Shortens the tables.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        if (_context.Header.SnapshotCount == 0 || !_context.HasDamagedSnapshots)
        {
            return false;
        }

        bool hasWritten = false;
        foreach (ScannedSnapshot snapshot in SnapshotScan.Read(_context.Image, _context.Header, cancellationToken).Entries)
        {
            hasWritten |= Cut(snapshot);
        }

        if (hasWritten)
        {
            _context.Image.Flush();
            report.Settle();
        }

        return hasWritten;
    }

    private bool Cut(ScannedSnapshot snapshot)
    {
        long needed = snapshot.L1EntriesNeeded(_context.Header);
        if (snapshot.IsEmpty || snapshot.L1Size <= needed || snapshot.L1Offset >= (ulong)Qcow2Limits.HostOffsetEnd)
        {
            return false;
        }

        long offset = (long)snapshot.L1Offset;
        if (!_context.Geometry.IsClusterAligned(offset) || !_context.IsInFile(offset, needed * L1Entry.Length) || !IsBeyondOthers(offset, needed, snapshot.L1Size))
        {
            return false;
        }

        beforeWrite();
        Span<byte> field = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(field, (uint)needed);
        _context.Image.Write(snapshot.Position + L1SizeOffset, field);
        report.Add(Qcow2CheckFindingKind.SnapshotDamaged, snapshot.Position, "Snapshot table",
            $"The L1 table of {snapshot.Shown} was said to have {snapshot.L1Size} entries, and what lies behind is not its own: it has {needed} now, all that its disk needs.");
        return true;
    }

    /// <summary>Whether the clusters behind those that are needed are past the end of the file, or have other owners.</summary>
    private bool IsBeyondOthers(long offset, long needed, long claimed)
    {
        long neededEnd = (offset + (needed * L1Entry.Length) + _context.Geometry.ClusterSize - 1) & ~(_context.Geometry.ClusterSize - 1L);
        long claimedEnd = offset + (claimed * L1Entry.Length);
        return !_context.IsInFile(offset, claimedEnd - offset)
            || (claimedEnd > neededEnd && _context.IsShared(neededEnd, claimedEnd - neededEnd, 1));
    }
}
