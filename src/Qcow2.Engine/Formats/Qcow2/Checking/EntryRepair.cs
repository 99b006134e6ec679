using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Puts entries right that no one can follow. What can be saved is: reserved bits are cleared, contradictions are settled in favour
/// of the data, a compressed cluster that claims too many sectors is shortened to the file. What leads nowhere reads as zeros.
/// </summary>
internal sealed class EntryRepair(ImageAudit audit, Action beforeWrite, CancellationToken cancellationToken)
{
    private const ulong ReservedMask = 0x3f00_0000_0000_01fe;

    private readonly AuditContext _context = audit.Context!;
    private readonly TableRewriter _tables = new(audit, beforeWrite, cancellationToken);

    /// <summary>Repairs all tables of all disks.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        Qcow2Header header = _context.Header;
        bool hasWritten = _tables.RewriteL2(false, RepairL2);
        hasWritten |= _tables.RewriteL1(header.L1TableOffset, (long)header.L1Size * L1Entry.Length, RepairL1);
        foreach (SnapshotL1 snapshot in _context.Snapshots)
        {
            hasWritten |= _tables.RewriteL1(snapshot.Offset, snapshot.Length, RepairL1);
        }

        return hasWritten;
    }

    private void RepairL1(Span<ulong> words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            if (words[i] != 0)
            {
                long offset = new L1Entry(words[i]).Offset;
                bool isUsable = offset != 0 && _context.Geometry.IsClusterAligned(offset) && _context.IsInFile(offset, _context.Geometry.ClusterSize);
                words[i] = isUsable ? words[i] & (L1Entry.OffsetMask | L1Entry.CopiedFlag) : 0;
            }
        }
    }

    private void RepairL2(Span<ulong> words)
    {
        bool isExtended = _context.Geometry.IsExtendedL2;
        for (int i = 0; i < words.Length; i += isExtended ? 2 : 1)
        {
            ulong none = 0;
            ref ulong bitmap = ref isExtended ? ref words[i + 1] : ref none;
            if ((words[i] | bitmap) != 0)
            {
                Repair(ref words[i], ref bitmap);
            }
        }
    }

    private void Repair(ref ulong entry, ref ulong bitmap)
    {
        if ((entry & L2Entry.CompressedFlag) != 0)
        {
            RepairCompressed(ref entry, ref bitmap);
            return;
        }

        entry &= ~ReservedMask;
        if (_context.Geometry.IsExtendedL2 || _context.Header.Version < 3)
        {
            entry &= ~L2Entry.ZeroFlag; // Reserved, so what the entry leads to is the data.
        }

        long offset = (long)(entry & L2Entry.OffsetMask);
        var subclusters = new SubclusterBitmap(bitmap);
        if (offset == 0)
        {
            if (subclusters.Allocated != 0 && !(_context.HasDataFile && (entry & L2Entry.CopiedFlag) != 0))
            {
                bitmap = new SubclusterBitmap(0, subclusters.Allocated | subclusters.Zero).Value;
            }
        }
        else if (!_context.Geometry.IsClusterAligned(offset) || !(_context.HasDataFile || _context.IsInFile(offset, _context.Geometry.ClusterSize)))
        {
            Drop(ref entry, ref bitmap);
        }

        if (!new SubclusterBitmap(bitmap).IsValid)
        {
            bitmap = new SubclusterBitmap(subclusters.Allocated, subclusters.Zero & ~subclusters.Allocated).Value;
        }
    }

    private void RepairCompressed(ref ulong entry, ref ulong bitmap)
    {
        entry &= ~L2Entry.CopiedFlag;
        if (_context.HasDataFile)
        {
            // Nobody knows what this once was.
            return;
        }

        bitmap = 0;
        CompressedClusterDescriptor data = new L2Entry(entry).CompressedCluster(_context.Geometry.ClusterBits);
        if (_context.IsInFile(data.HostOffset, data.Length))
        {
            return;
        }

        if (data.HostOffset < _context.FileLength)
        {
            int length = (int)Math.Min(data.Length, _context.FileLength - data.HostOffset);
            entry = CompressedClusterDescriptor.Create(data.HostOffset, length, _context.Geometry.ClusterBits).ToL2Entry().Value;
        }
        else
        {
            Drop(ref entry, ref bitmap);
        }
    }

    /// <summary>Makes what an entry stood for read as zeros, without showing what the backing file has there.</summary>
    private void Drop(ref ulong entry, ref ulong bitmap)
    {
        if (_context.Geometry.IsExtendedL2)
        {
            bool wasCompressed = (entry & L2Entry.CompressedFlag) != 0;
            var subclusters = new SubclusterBitmap(bitmap);
            bitmap = new SubclusterBitmap(0, wasCompressed ? uint.MaxValue : subclusters.Allocated | subclusters.Zero).Value;
            entry = 0;
        }
        else
        {
            entry = _context.Header.Version >= 3 ? L2Entry.ZeroFlag : 0;
        }
    }
}
