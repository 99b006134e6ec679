using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>
/// The bits of one bitmap, a page for each entry of its table: pages are read when a bit of theirs is first set, so that a
/// bitmap takes memory for what changes of it and not for what it says of its size. Marking is safe from many threads.
/// </summary>
internal sealed class DirtyBitmap
{
    private const int BitsPerByte = 8;

    private readonly object _gate = new();
    private readonly int _clusterSize;
    private readonly int _pageBits;
    private readonly Action<BitmapTableEntry, byte[]> _read;
    private readonly HashSet<int> _changed = [];
    private ulong[] _table;
    private volatile byte[]?[] _pages;
    private long _count;

    /// <summary>Takes the table of a bitmap; its entries were checked.</summary>
    /// <param name="geometry">The image's cluster sizes.</param>
    /// <param name="granularityBits">Bytes that a bit stands for, as a power of two.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    /// <param name="table">The table's entries, kept and changed here.</param>
    /// <param name="read">Reads the start of the cluster that a table entry names.</param>
    internal DirtyBitmap(ClusterGeometry geometry, int granularityBits, long diskSize, ulong[] table, Action<BitmapTableEntry, byte[]> read)
    {
        _clusterSize = geometry.ClusterSize;
        _pageBits = geometry.ClusterBits + 3;
        _read = read;
        _table = table;
        _pages = new byte[]?[table.Length];
        GranularityBits = granularityBits;

        // QEMU knows no half sector at the end of a disk: where its bit would need a table entry more, the last bit stands for it too.
        _count = Math.Min(CountFor(diskSize, granularityBits), (long)table.Length << _pageBits);
    }

    /// <summary>Bytes that a bit stands for, as a power of two.</summary>
    internal int GranularityBits { get; }

    /// <summary>The table as it will be once the bitmap is saved. Pages that changed have their cluster here when they have one.</summary>
    internal ReadOnlySpan<ulong> Table => _table;

    /// <summary>
    /// The first entry that the table lost since it was saved, though others may have taken its place: the disk's table is of no
    /// worth from here on.
    /// </summary>
    internal int CutFrom { get; private set; } = int.MaxValue;

    /// <summary>Pages that differ from what their table entry says, in order.</summary>
    internal IReadOnlyList<int> ChangedPages
    {
        get
        {
            lock (_gate)
            {
                return [.. _changed.OrderBy(page => page)];
            }
        }
    }

    /// <summary>How many bits a disk needs.</summary>
    internal static long CountFor(long diskSize, int granularityBits)
        => (diskSize >> granularityBits) + ((diskSize & ((1L << granularityBits) - 1)) == 0 ? 0 : 1);

    /// <summary>How many table entries, each a cluster of bits, a disk needs.</summary>
    internal static long TableSizeFor(long diskSize, int granularityBits, ClusterGeometry geometry)
    {
        int pageBits = geometry.ClusterBits + 3;
        return (CountFor(diskSize, granularityBits) + (1L << pageBits) - 1) >> pageBits;
    }

    /// <summary>Sets the bits of a range of the disk.</summary>
    /// <param name="offset">Where it starts, in bytes; inside the disk.</param>
    /// <param name="length">Bytes; at least one.</param>
    /// <exception cref="IOException">A page could not be read: the range must not be written.</exception>
    internal void Mark(long offset, long length)
    {
        long last = Math.Min((offset + length - 1) >> GranularityBits, Interlocked.Read(ref _count) - 1);
        long first = Math.Min(offset >> GranularityBits, last);
        if (last < 0 || (first == last && IsKnownSet(first)))
        {
            return;
        }

        lock (_gate)
        {
            last = Math.Min(last, _count - 1);
            for (long bit = Math.Min(first, last); bit <= last;)
            {
                long pageEnd = ((bit >> _pageBits) + 1) << _pageBits;
                long end = Math.Min(last + 1, pageEnd);
                SetInPage((int)(bit >> _pageBits), (int)(bit & ((1L << _pageBits) - 1)), (int)(end - bit));
                bit = end;
            }
        }
    }

    /// <summary>Whether the bit that stands for an offset of the disk is set.</summary>
    internal bool IsDirty(long offset)
    {
        long bit = Math.Min(offset >> GranularityBits, _count - 1);
        lock (_gate)
        {
            int page = (int)(bit >> _pageBits);
            var entry = new BitmapTableEntry(_table[page]);
            if (_pages[page] is null && !entry.IsUsed)
            {
                return entry.IsAllOnes;
            }

            int inPage = (int)(bit & ((1L << _pageBits) - 1));
            return (Load(page)[inPage / BitsPerByte] & (1 << (inPage % BitsPerByte))) != 0;
        }
    }

    /// <summary>Gives the bitmap the bits of a disk of another size: new ones are clear, those past the end are gone.</summary>
    /// <param name="diskSize">The new size, in bytes.</param>
    /// <param name="tableSize">Entries for it.</param>
    /// <returns>Host offsets of the clusters that no entry names any more.</returns>
    internal IReadOnlyList<long> Resize(long diskSize, int tableSize)
    {
        lock (_gate)
        {
            long count = CountFor(diskSize, GranularityBits);
            int lastPage = Math.Min(tableSize, _table.Length) - 1;
            if (count != _count && (_pages[lastPage] is not null || _table[lastPage] != 0))
            {
                // Where the bits end inside a page, what follows them becomes or must stay clear.
                byte[] page = new byte[_clusterSize];
                Load(lastPage).CopyTo(page, 0);
                _changed.Add(lastPage);
                _pages[lastPage] = page;
                ClearFrom(page, count - ((long)lastPage << _pageBits));
            }

            var dropped = new List<long>();
            for (int page = tableSize; page < _table.Length; page++)
            {
                if (new BitmapTableEntry(_table[page]) is { IsUsed: true } entry)
                {
                    dropped.Add(entry.Offset);
                }

                _changed.Remove(page);
            }

            if (tableSize < _table.Length)
            {
                CutFrom = Math.Min(CutFrom, tableSize);
            }

            byte[]?[] pages = _pages;
            Array.Resize(ref pages, tableSize);
            Array.Resize(ref _table, tableSize);
            _pages = pages;
            Interlocked.Exchange(ref _count, count);
            return dropped;
        }
    }

    /// <summary>Makes every bit clear.</summary>
    /// <returns>Host offsets of the clusters that no entry names any more.</returns>
    internal IReadOnlyList<long> Clear()
    {
        lock (_gate)
        {
            var dropped = new List<long>();
            for (int page = 0; page < _table.Length; page++)
            {
                var entry = new BitmapTableEntry(_table[page]);
                if (entry.IsUsed)
                {
                    dropped.Add(entry.Offset);
                }

                if (entry.IsUsed || entry.IsAllOnes)
                {
                    _table[page] = 0;
                    _changed.Add(page);
                }
            }

            _pages = new byte[]?[_table.Length];
            return dropped;
        }
    }

    /// <summary>The parts of the disk whose bits are set, in order. Pages that were not read before are not kept.</summary>
    internal IEnumerable<(long Offset, long Length)> DirtyRanges() => BitRuns.Of(Pages(), GranularityBits);

    private IEnumerable<(long First, long End, byte[]? Bits)> Pages()
    {
        for (int page = 0; page < _table.Length; page++)
        {
            long first = (long)page << _pageBits;
            yield return (first, Math.Min(_count, first + (1L << _pageBits)), Peek(page));
        }
    }

    /// <summary>What a changed page holds, and what its table entry was.</summary>
    internal (BitmapTableEntry Entry, PageContent Content) Describe(int page)
    {
        lock (_gate)
        {
            byte[]? bits = _pages[page];
            bool isWhole = ((long)(page + 1) << _pageBits) <= _count;
            PageContent content = bits is null || SpanSearch.IsAllZero(bits) ? PageContent.Zeros
                : isWhole && SpanSearch.IsAllOnes(bits) ? PageContent.Ones
                : PageContent.Mixed;
            return (new BitmapTableEntry(_table[page]), content);
        }
    }

    /// <summary>Copies a page as it lies in a cluster.</summary>
    internal void CopyPage(int page, Span<byte> cluster)
    {
        lock (_gate)
        {
            byte[] bits = Load(page);
            bits.CopyTo(cluster);
            cluster.Slice(bits.Length).Clear();
        }
    }

    /// <summary>Gives a page another table entry.</summary>
    internal void SetEntry(int page, ulong entry)
    {
        lock (_gate)
        {
            _table[page] = entry;
        }
    }

    /// <summary>Notes that the disk has every page.</summary>
    internal void MarkSaved()
    {
        lock (_gate)
        {
            _changed.Clear();
            CutFrom = int.MaxValue;
        }
    }

    /// <summary>Whether a bit is known to be set without a lock or a read; most writes go where others went before.</summary>
    private bool IsKnownSet(long bit)
    {
        byte[]?[] pages = _pages;
        long page = bit >> _pageBits;
        if (page >= pages.Length || Volatile.Read(ref pages[page]) is not byte[] bits)
        {
            return false;
        }

        int inPage = (int)(bit & ((1L << _pageBits) - 1));
        return (Volatile.Read(ref bits[inPage / BitsPerByte]) & (1 << (inPage % BitsPerByte))) != 0;
    }

    private void SetInPage(int page, int first, int count)
    {
        if (_pages[page] is null && new BitmapTableEntry(_table[page]).IsAllOnes)
        {
            return;
        }

        byte[] bits = Load(page);
        int end = first + count;
        while (first < end)
        {
            int inByte = first % BitsPerByte;
            int part = Math.Min(BitsPerByte - inByte, end - first);
            if (part == BitsPerByte)
            {
                int bytes = (end - first) / BitsPerByte;
                bits.AsSpan(first / BitsPerByte, bytes).Fill(byte.MaxValue);
                part = bytes * BitsPerByte;
            }
            else
            {
                bits[first / BitsPerByte] |= (byte)(((1 << part) - 1) << inByte);
            }

            first += part;
        }

        _changed.Add(page);
    }

    private byte[] Load(int page)
    {
        if (_pages[page] is byte[] known)
        {
            return known;
        }

        byte[] bits = ReadPage(page);
        Volatile.Write(ref _pages[page], bits);
        return bits;
    }

    /// <summary>The bits of a page without keeping them; null if none is set.</summary>
    private byte[]? Peek(int page)
    {
        lock (_gate)
        {
            return _pages[page] ?? (_table[page] == 0 ? null : ReadPage(page));
        }
    }

    private byte[] ReadPage(int page)
    {
        long first = (long)page << _pageBits;
        byte[] bits = new byte[(int)Math.Min(_clusterSize, (_count - first + BitsPerByte - 1) / BitsPerByte)];
        var entry = new BitmapTableEntry(_table[page]);
        if (entry.IsUsed)
        {
            _read(entry, bits);
        }
        else if (entry.IsAllOnes)
        {
            bits.AsSpan().Fill(byte.MaxValue);
        }

        ClearFrom(bits, _count - first);
        return bits;
    }

    /// <summary>Clears bits from one on (spec: "unused tail bits ... must be zero").</summary>
    private static void ClearFrom(byte[] bits, long first)
    {
        if (first < (long)bits.Length * BitsPerByte)
        {
            int index = (int)(first / BitsPerByte);
            bits[index] &= (byte)((1 << (int)(first % BitsPerByte)) - 1);
            bits.AsSpan(index + 1).Clear();
        }
    }
}

/// <summary>What a page of a bitmap holds.</summary>
internal enum PageContent
{
    /// <summary>No bit is set.</summary>
    Zeros,

    /// <summary>Every bit of a whole cluster is set.</summary>
    Ones,

    /// <summary>Some are.</summary>
    Mixed,
}
