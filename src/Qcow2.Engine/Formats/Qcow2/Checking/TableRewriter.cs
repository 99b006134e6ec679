using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Changes entries of L1 and L2 tables where they lie. A table that shares a cluster with something else is left alone: to write
/// it would be to write into that.
/// </summary>
internal sealed class TableRewriter(ImageAudit audit, Action beforeWrite, CancellationToken cancellationToken)
{
    private const int PieceEntries = 128 * 1024;

    private readonly AuditContext _context = audit.Context!;

    /// <summary>Changes words of a table in place.</summary>
    internal delegate void Change(Span<ulong> words);

    /// <summary>Changes L2 tables.</summary>
    /// <param name="activeOnly">Whether those that only snapshots use are left alone.</param>
    /// <param name="change">Changes one table.</param>
    /// <returns>Whether anything was written.</returns>
    internal bool RewriteL2(bool activeOnly, Change change)
    {
        bool hasWritten = false;
        var holes = new HoleFinder(_context.Image, _context.IsSparse);
        int size = _context.Geometry.ClusterSize;
        ulong[] words = new ulong[size / sizeof(ulong)];
        ulong[] old = new ulong[words.Length];
        foreach (L2Reference table in audit.Tables!.Tables)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if ((activeOnly && table.ActiveWeight == 0) || !_context.Geometry.IsClusterAligned(table.Offset)
                || _context.IsShared(table.Offset, size, table.Weight) || holes.IsHole(table.Offset, size))
            {
                continue;
            }

            BigEndianTable.Read(_context.Image, table.Offset, words);
            hasWritten |= Rewrite(table.Offset, words, old, change);
        }

        return hasWritten;
    }

    /// <summary>Changes an L1 table.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="change">Changes a piece of it.</param>
    /// <returns>Whether anything was written.</returns>
    internal bool RewriteL1(long offset, long length, Change change)
    {
        if (length == 0 || !_context.IsInFile(offset, length) || _context.IsShared(offset, length, 1))
        {
            return false;
        }

        bool hasWritten = false;
        var holes = new HoleFinder(_context.Image, _context.IsSparse);
        int most = (int)Math.Min(PieceEntries, length / L1Entry.Length);
        ulong[] words = new ulong[most];
        ulong[] old = new ulong[most];
        for (long done = 0; done < length; done += (long)most * L1Entry.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(most, (length - done) / L1Entry.Length);
            if (!holes.IsHole(offset + done, (long)count * L1Entry.Length))
            {
                BigEndianTable.Read(_context.Image, offset + done, words.AsSpan(0, count));
                hasWritten |= Rewrite(offset + done, words.AsSpan(0, count), old, change);
            }
        }

        return hasWritten;
    }

    private bool Rewrite(long offset, Span<ulong> words, Span<ulong> old, Change change)
    {
        words.CopyTo(old);
        change(words);
        int first = 0;
        while (first < words.Length && words[first] == old[first])
        {
            first++;
        }

        if (first == words.Length)
        {
            return false;
        }

        int end = words.Length;
        while (words[end - 1] == old[end - 1])
        {
            end--;
        }

        beforeWrite();
        BigEndianTable.Write(_context.Image, offset + ((long)first * sizeof(ulong)), words.Slice(first, end - first));
        return true;
    }
}
