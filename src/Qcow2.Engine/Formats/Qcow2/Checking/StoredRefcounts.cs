using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// The refcounts that the file holds, a byte for each cluster of the file, in pages that exist only where a count is not zero.
/// Counts past what a byte can say, and places where none can be read, are marked.
/// </summary>
internal sealed class StoredRefcounts
{
    /// <summary>In a page: the count cannot be read, because its block lies where none can lie.</summary>
    internal const byte Unreadable = 254;

    /// <summary>In a page: the count is as large or larger; the file has to be asked.</summary>
    internal const byte Large = 255;

    private const int PageBits = ReferenceCounts.PageBits;

    private readonly BlockStorage _image;
    private readonly ClusterGeometry _geometry;
    private readonly RefcountOrder _order;
    private readonly int _perBlock;
    private readonly long _clusters;
    private readonly long _fileLength;
    private readonly byte[]?[] _pages;
    private readonly bool[] _isSpecial;

    private StoredRefcounts(BlockStorage image, Qcow2Header header, ulong[] table, long clusters)
    {
        _image = image;
        _geometry = header.Geometry;
        _order = header.RefcountOrder;
        _perBlock = _order.EntriesPerBlock(header.ClusterSize);
        _clusters = clusters;
        _fileLength = image.Length;
        Table = table;
        int pages = (int)((clusters + ReferenceCounts.PageLength - 1) >> PageBits);
        _pages = new byte[]?[pages];
        _isSpecial = new bool[pages];
    }

    /// <summary>The refcount table.</summary>
    internal ulong[] Table { get; }

    /// <summary>Reads the counts of as many clusters as the file has.</summary>
    internal static StoredRefcounts Load(
        BlockStorage image, Qcow2Header header, bool isTableUsable, long clusters, int threads, CancellationToken cancellationToken)
    {
        ulong[] table = isTableUsable ? LoadTable(image, header) : [];
        var stored = new StoredRefcounts(image, header, table, clusters);
        long blocks = Math.Min(table.Length, (clusters + stored._perBlock - 1) / stored._perBlock);
        long next = -1;
        ParallelWorkers.Run(threads, Work, () => Interlocked.Exchange(ref next, blocks));
        return stored;

        void Work()
        {
            byte[] block = ArrayPool<byte>.Shared.Rent(header.ClusterSize);
            try
            {
                for (long index = Interlocked.Increment(ref next); index < blocks; index = Interlocked.Increment(ref next))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    stored.LoadBlock(index, block.AsSpan(0, header.ClusterSize));
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(block);
            }
        }
    }

    /// <summary>The counts of a page as marked bytes; empty if all are zero.</summary>
    internal ReadOnlySpan<byte> Page(int page) => _pages[page];

    /// <summary>Whether some byte of a page is a mark and no count.</summary>
    internal bool HasMarks(int page) => _isSpecial[page];

    /// <summary>How many clusters of the file have a count other than zero; null if some count cannot be read.</summary>
    internal long? CountUsed()
    {
        long used = 0;
        foreach (byte[]? page in _pages)
        {
            foreach (byte count in page ?? [])
            {
                if (count == Unreadable)
                {
                    return null;
                }

                used += count == 0 ? 0 : 1;
            }
        }

        return used;
    }

    /// <summary>The count of a cluster, also of one past the end of the file; null if it cannot be read.</summary>
    internal ulong? Get(long cluster)
    {
        if (cluster < _clusters)
        {
            byte value = _pages[cluster >> PageBits] is byte[] page ? page[cluster & (ReferenceCounts.PageLength - 1)] : (byte)0;
            if (value < Unreadable)
            {
                return value;
            }

            if (value == Unreadable)
            {
                return null;
            }
        }

        return ReadFromFile(cluster);
    }

    /// <summary>Whether all of a run of the file's clusters have a count of one; or, if that is asked, none of them.</summary>
    /// <param name="first">The first cluster.</param>
    /// <param name="count">How many.</param>
    /// <param name="expected">True if each should be one.</param>
    internal bool AreOne(long first, int count, bool expected)
    {
        while (count > 0)
        {
            int inPage = (int)(first & (ReferenceCounts.PageLength - 1));
            int part = Math.Min(count, ReferenceCounts.PageLength - inPage);
            byte[]? page = _pages[first >> PageBits];
            if (page is null ? expected : expected ? !IsEachOne(page.AsSpan(inPage, part)) : page.AsSpan(inPage, part).IndexOf((byte)1) >= 0)
            {
                return false;
            }

            first += part;
            count -= part;
        }

        return true;
    }

    private static bool IsEachOne(ReadOnlySpan<byte> counts)
    {
#if NET
        return counts.IndexOfAnyExcept((byte)1) < 0;
#else
        foreach (byte count in counts)
        {
            if (count != 1)
            {
                return false;
            }
        }

        return true;
#endif
    }

    private static ulong[] LoadTable(BlockStorage image, Qcow2Header header)
    {
        long bytes = Math.Min((long)header.RefcountTableClusters << header.ClusterBits, image.Length - header.RefcountTableOffset);
        ulong[] table = new ulong[((long)header.RefcountTableClusters << header.ClusterBits) / RefcountTableEntry.Length];
        if (bytes > 0)
        {
            BigEndianTable.Read(image, header.RefcountTableOffset, table);
        }

        return table;
    }

    private ulong? ReadFromFile(long cluster)
    {
        long index = cluster / _perBlock;
        ulong offset = index < Table.Length ? new RefcountTableEntry(Table[index]).Offset : 0;
        if (offset == 0)
        {
            return 0;
        }

        if (!IsUsable(offset))
        {
            return null;
        }

        if (offset >= (ulong)_fileLength)
        {
            return 0;
        }

        int entry = (int)(cluster % _perBlock);
        int bits = _order.Bits;
        Span<byte> cell = stackalloc byte[sizeof(ulong)];
        int width = Math.Max(1, bits / 8);
        _image.ReadZeroPadded((long)offset + ((long)entry * bits / 8), cell.Slice(0, width));
        return _order.Read(cell, bits < 8 ? entry % (8 / bits) : 0);
    }

    private bool IsUsable(ulong offset) => offset <= (ulong)(long.MaxValue - _geometry.ClusterSize) && _geometry.IsClusterAligned((long)offset);

    private void LoadBlock(long index, Span<byte> block)
    {
        ulong offset = new RefcountTableEntry(Table[index]).Offset;
        if (offset == 0 || (IsUsable(offset) && offset >= (ulong)_fileLength))
        {
            // Past the end of the file there are zeros.
            return;
        }

        long first = index * _perBlock;
        int count = (int)Math.Min(_perBlock, _clusters - first);
        if (!IsUsable(offset))
        {
            Mark(first, count);
            return;
        }

        _image.ReadZeroPadded((long)offset, block);

        for (int done = 0; done < count;)
        {
            long cluster = first + done;
            int inPage = (int)(cluster & (ReferenceCounts.PageLength - 1));
            int part = Math.Min(count - done, ReferenceCounts.PageLength - inPage);
            FillPart(block, done, part, (int)(cluster >> PageBits), inPage);
            done += part;
        }
    }

    private void FillPart(ReadOnlySpan<byte> block, int start, int count, int page, int inPage)
    {
        int firstByte = (int)((long)start * _order.Bits / 8);
        int endByte = (int)((((long)start + count) * _order.Bits + 7) / 8);
        if (SpanSearch.IsAllZero(block.Slice(firstByte, endByte - firstByte)))
        {
            return;
        }

        Span<byte> target = MakePage(page).AsSpan(inPage, count);
        bool isSpecial = false;
        if (_order.Order == 4)
        {
            ReadOnlySpan<ushort> counts = MemoryMarshal.Cast<byte, ushort>(block.Slice(start * 2, count * 2));
            for (int i = 0; i < target.Length; i++)
            {
                ushort value = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(counts[i]) : counts[i];
                target[i] = value < Unreadable ? (byte)value : Large;
                isSpecial |= value >= Unreadable;
            }
        }
        else
        {
            for (int i = 0; i < target.Length; i++)
            {
                ulong value = _order.Read(block, start + i);
                target[i] = value < Unreadable ? (byte)value : Large;
                isSpecial |= value >= Unreadable;
            }
        }

        if (isSpecial)
        {
            _isSpecial[page] = true;
        }
    }

    private void Mark(long first, int count)
    {
        for (long cluster = first; cluster < first + count; cluster++)
        {
            int page = (int)(cluster >> PageBits);
            MakePage(page)[cluster & (ReferenceCounts.PageLength - 1)] = Unreadable;
            _isSpecial[page] = true;
        }
    }

    private byte[] MakePage(int page)
    {
        if (Volatile.Read(ref _pages[page]) is byte[] known)
        {
            return known;
        }

        byte[] made = new byte[ReferenceCounts.PageLength];
        return Interlocked.CompareExchange(ref _pages[page], made, null) ?? made;
    }
}
