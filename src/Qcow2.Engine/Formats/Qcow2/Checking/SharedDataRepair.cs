using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Gives L2 entries a cluster of their own where more of them lead to one than its refcount can say, and where it holds metadata:
/// a copy of what they show, as a guest would have written it. No disk shows anything else by that.
/// </summary>
/// <param name="audit">What was found.</param>
/// <param name="budget">How much may be copied.</param>
/// <param name="separatesAll">Whether entries of the active disk are separated even where the counts could say it, as <see cref="SharedTableRepair"/> has it.</param>
/// <param name="beforeWrite">Called before each write.</param>
/// <param name="cancellationToken">Stops it.</param>
/// <remarks>The tables must have no more references than can be counted: <see cref="SharedTableRepair"/> comes first.</remarks>
internal sealed class SharedDataRepair(ImageAudit audit, CopyBudget budget, bool separatesAll, Action beforeWrite, CancellationToken cancellationToken)
{
    private readonly AuditContext _context = audit.Context!;
    private readonly ClusterGeometry _geometry = audit.Context!.Geometry;
    private readonly ulong _max = audit.Context!.Header.RefcountOrder.MaxValue;
    private readonly Dictionary<long, ulong> _kept = [];
    private readonly HashSet<long> _active = [];

    /// <summary>Whether the data can be moved at all: with LUKS it is encrypted for the place where it lies, and in a data file there are no counts.</summary>
    internal static bool CanMove(Qcow2Header header)
        => header.EncryptionMethod != EncryptionMethod.Luks && !header.Has(IncompatibleFeatures.ExternalDataFile);

    /// <summary>Repairs the L2 tables of all disks.</summary>
    /// <returns>Whether anything was written.</returns>
    internal bool Run()
    {
        if (!CanMove(_context.Header) || !(_context.HasOverflow || separatesAll || _context.Overlaps.Count > 0))
        {
            return false;
        }

        // What other tables lead to is moved away from a table before that is written.
        bool hasWritten = RunTables(table => !IsShared(table));
        return hasWritten || RunTables(table => IsShared(table) && !IsOtherMetadata(table));
    }

    private bool RunTables(Func<L2Reference, bool> isDue)
    {
        ulong[] words = new ulong[_geometry.ClusterSize / sizeof(ulong)];
        var holes = new HoleFinder(_context.Image, _context.IsSparse);
        bool hasWritten = false;
        foreach (L2Reference table in audit.Tables!.Tables)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!_geometry.IsClusterAligned(table.Offset) || (ulong)table.Weight > _max || !isDue(table) || holes.IsHole(table.Offset, _geometry.ClusterSize))
            {
                continue;
            }

            BigEndianTable.Read(_context.Image, table.Offset, words);
            hasWritten |= Repair(table, words);
        }

        return hasWritten;
    }

    private bool IsShared(L2Reference table) => _context.IsShared(table.Offset, _geometry.ClusterSize, table.Weight);

    /// <summary>Whether another structure than data lies where a table lies; to write one would be to write the other.</summary>
    private bool IsOtherMetadata(L2Reference table)
        => _context.Metadata.Any(range => range.Start < table.Offset + _geometry.ClusterSize && range.End > table.Offset);

    private bool Repair(L2Reference table, ulong[] words)
    {
        var moves = new List<Move>();
        int step = _geometry.IsExtendedL2 ? 2 : 1;
        for (int i = 0; i < words.Length; i += step)
        {
            if (words[i] != 0 && HostRange(new L2Entry(words[i])) is (long offset, int length) && !TryKeep(offset, length, table, new L2Entry(words[i]).IsCompressed))
            {
                moves.Add(new Move(i, offset, length));
            }
        }

        if (moves.Count == 0)
        {
            return false;
        }

        long clusters = moves.Sum(move => ClustersOf(move.Length));
        if (budget.TryTake(_context, clusters) is not RepairSpace space)
        {
            return false;
        }

        beforeWrite();
        Copy(table, words, moves, space);
        foreach (Move move in moves)
        {
            BigEndianTable.Write(_context.Image, table.Offset + ((long)move.Index * sizeof(ulong)), words.AsSpan(move.Index, 1));
        }

        _context.Image.Flush();
        return true;
    }

    private void Copy(L2Reference table, ulong[] words, List<Move> moves, RepairSpace space)
    {
        byte[] content = new byte[2 * _geometry.ClusterSize];
        long place = space.Offset;
        foreach (Move move in moves)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = (int)ClustersOf(move.Length) << _geometry.ClusterBits;
            Array.Clear(content, 0, length);
            _context.Image.ReadZeroPadded(move.Offset, content.AsSpan(0, move.Length));
            _context.Image.Write(place, content.AsSpan(0, length));
            for (long offset = place; offset < place + length; offset += _geometry.ClusterSize)
            {
                space.AddReferences(offset, table.Weight - 1);
            }

            var entry = new L2Entry(words[move.Index]);
            words[move.Index] = entry.IsCompressed
                ? CompressedClusterDescriptor.Create(place, move.Length, _geometry.ClusterBits).ToL2Entry().Value
                : L2Entry.Standard(place, isCopied: table.ActiveWeight > 0 && table.Weight == 1, entry.IsZero).Value;
            place += length;
        }

        space.Commit();
    }

    /// <summary>Where an entry's data lies; null for an entry that has none, or that no one can follow.</summary>
    private (long Offset, int Length)? HostRange(L2Entry entry)
    {
        if (entry.IsCompressed)
        {
            CompressedClusterDescriptor data = entry.CompressedCluster(_geometry.ClusterBits);
            return _context.IsInFile(data.HostOffset, data.Length) ? (data.HostOffset, data.Length) : null;
        }

        return entry.Offset != 0 && _geometry.IsClusterAligned(entry.Offset) && _context.IsInFile(entry.Offset, _geometry.ClusterSize)
            ? (entry.Offset, _geometry.ClusterSize)
            : null;
    }

    /// <summary>Whether data can stay where it lies, and counts it if so.</summary>
    private bool TryKeep(long offset, int length, L2Reference table, bool isCompressed)
    {
        ulong weight = (ulong)table.Weight;
        long first = offset >> _geometry.ClusterBits;
        long last = (offset + length - 1) >> _geometry.ClusterBits;
        for (long cluster = first; cluster <= last; cluster++)
        {
            bool isScarce = (ulong)_context.References[cluster] > _max;
            if (_context.Overlaps.Contains(cluster) || (isScarce && Kept(cluster) + weight > _max))
            {
                return false;
            }
        }

        if (separatesAll && !isCompressed && table.ActiveWeight > 0 && _context.References[first] > 1 && !_active.Add(first))
        {
            return false;
        }

        for (long cluster = first; cluster <= last; cluster++)
        {
            if ((ulong)_context.References[cluster] > _max)
            {
                _kept[cluster] = Kept(cluster) + weight;
            }
        }

        return true;
    }

    private ulong Kept(long cluster) => _kept.TryGetValue(cluster, out ulong kept) ? kept : 0;

    private long ClustersOf(int length) => (length + _geometry.ClusterSize - 1) >> _geometry.ClusterBits;

    private readonly record struct Move(int Index, long Offset, int Length);
}
