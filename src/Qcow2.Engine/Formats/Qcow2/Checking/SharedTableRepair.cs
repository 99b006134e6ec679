using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Gives L1 entries an L2 table of their own where more of them lead to one table than its refcount can say. A copy leads to
/// what the table leads to, so that every disk shows what it showed.
/// </summary>
/// <param name="audit">What was found.</param>
/// <param name="budget">How much may be copied.</param>
/// <param name="separatesAll">
/// Whether entries of the active table are separated even where the counts could say it: if damage made them share a table, the
/// next write to the one would leave a wrong COPIED flag with the other.
/// </param>
/// <param name="beforeWrite">Called before each write.</param>
/// <param name="cancellationToken">Stops it.</param>
internal sealed class SharedTableRepair(ImageAudit audit, CopyBudget budget, bool separatesAll, Action beforeWrite, CancellationToken cancellationToken)
{
    private readonly AuditContext _context = audit.Context!;
    private readonly Dictionary<long, ulong> _users = [];

    /// <summary>Repairs the L1 tables of all disks.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        if (!_context.HasOverflow && !separatesAll)
        {
            return false;
        }

        Qcow2Header header = _context.Header;
        bool hasWritten = Repair(header.L1TableOffset, (long)header.L1Size * L1Entry.Length, separatesAll ? 1 : ulong.MaxValue);
        if (!_context.HasOverflow)
        {
            return hasWritten;
        }

        foreach (SnapshotL1 snapshot in _context.Snapshots)
        {
            hasWritten |= Repair(snapshot.Offset, snapshot.Length, ulong.MaxValue);
        }

        return hasWritten;
    }

    private bool Repair(long offset, long length, ulong most)
    {
        if (length == 0 || !_context.IsInFile(offset, length) || _context.IsShared(offset, length, 1))
        {
            return false;
        }

        ulong[] entries = new ulong[length / L1Entry.Length];
        BigEndianTable.Read(_context.Image, offset, entries);
        bool hasWritten = false;
        for (int i = 0; i < entries.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long table = new L1Entry(entries[i]).Offset;
            if (IsShared(table) && !HasRoom(table, most))
            {
                if (!Separate(offset + ((long)i * L1Entry.Length), table))
                {
                    return hasWritten;
                }

                hasWritten = true;
            }
        }

        return hasWritten;
    }

    /// <summary>Whether a table, which is nothing else than that, has several references.</summary>
    private bool IsShared(long table)
    {
        if (table == 0 || !_context.Geometry.IsClusterAligned(table) || !_context.IsInFile(table, _context.Geometry.ClusterSize))
        {
            return false;
        }

        long references = _context.References[table >> _context.Geometry.ClusterBits];
        return references > 1 && references == audit.Tables!.WeightAt(table);
    }

    /// <summary>Whether one user more can be counted, and counts it.</summary>
    private bool HasRoom(long table, ulong most)
    {
        _users.TryGetValue(table, out ulong users);
        if (users >= Math.Min(most, _context.Header.RefcountOrder.MaxValue))
        {
            return false;
        }

        _users[table] = users + 1;
        return true;
    }

    /// <summary>Makes the L1 entry at a position lead to a copy of its table.</summary>
    /// <returns>False if there is no place for one.</returns>
    private bool Separate(long position, long table)
    {
        if (budget.TryTake(_context, 1) is not RepairSpace space)
        {
            return false;
        }

        byte[] content = new byte[_context.Geometry.ClusterSize];
        _context.Image.ReadZeroPadded(table, content);
        beforeWrite();
        _context.Image.Write(space.Offset, content);
        space.Commit();
        BigEndianTable.Write(_context.Image, position, [(ulong)space.Offset]);
        _context.Image.Flush();
        return true;
    }
}
