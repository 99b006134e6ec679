using System.Runtime.InteropServices;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// How many references each host cluster has, counted by many threads at once: a byte for a cluster, in pages that exist only
/// where something is referred to. A cluster with 255 references or more is counted in a wide page beside it.
/// </summary>
internal sealed class ReferenceCounts
{
    internal const int PageBits = 16;
    internal const int PageLength = 1 << PageBits;
    private const byte IsWide = 255;
    private const int Lanes = sizeof(long);
    private const long OneInEachLane = 0x0101_0101_0101_0101;
    private const long TopOfEachLane = unchecked((long)0x8080_8080_8080_8080);

    private readonly long[]?[] _pages;
    private readonly long[]?[] _wide;

    /// <summary>Creates counts of zero.</summary>
    /// <param name="clusters">How many clusters there are.</param>
    internal ReferenceCounts(long clusters)
    {
        Clusters = clusters;
        int pages = (int)((clusters + PageLength - 1) >> PageBits);
        _pages = new long[]?[pages];
        _wide = new long[]?[pages];
    }

    /// <summary>How many clusters there are.</summary>
    internal long Clusters { get; }

    internal int Pages => _pages.Length;

    /// <summary>References to a cluster.</summary>
    internal long this[long cluster]
    {
        get
        {
            int page = (int)(cluster >> PageBits);
            byte count = Page(page) is { IsEmpty: false } bytes ? bytes[(int)(cluster & (PageLength - 1))] : (byte)0;
            return count == IsWide ? _wide[page]![cluster & (PageLength - 1)] : count;
        }
    }

    /// <summary>The counts of a page of clusters, 255 for those with as many or more; empty if all are zero.</summary>
    internal ReadOnlySpan<byte> Page(int page)
        => Volatile.Read(ref _pages[page]) is long[] words ? MemoryMarshal.AsBytes(words.AsSpan()) : default;

    /// <summary>Whether some cluster of a page has 255 references or more.</summary>
    internal bool HasWide(int page) => _wide[page] is not null;

    /// <summary>Counts references to clusters next to each other.</summary>
    /// <param name="first">The first cluster.</param>
    /// <param name="count">How many; all must exist.</param>
    /// <param name="weight">References to each.</param>
    internal void Add(long first, long count, long weight)
    {
        long cluster = first;
        long end = first + count;
        while (cluster < end)
        {
            long[] page = Make(_pages, (int)(cluster >> PageBits), PageLength / Lanes);
            int index = (int)(cluster & (PageLength - 1));
            if (weight == 1 && (index & (Lanes - 1)) == 0 && end - cluster >= Lanes && TryAddOneToEach(ref page[index / Lanes]))
            {
                cluster += Lanes;
                continue;
            }

            AddTo(page, cluster, index, weight);
            cluster++;
        }
    }

    /// <summary>Eight clusters in one step, as long as none of them could pass what a byte holds.</summary>
    private static bool TryAddOneToEach(ref long word)
    {
        while (true)
        {
            long old = Volatile.Read(ref word);
            if ((old & TopOfEachLane) != 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref word, old + OneInEachLane, old) == old)
            {
                return true;
            }
        }
    }

    private static long[] Make(long[]?[] pages, int page, int length)
    {
        if (Volatile.Read(ref pages[page]) is long[] known)
        {
            return known;
        }

        long[] made = new long[length];
        return Interlocked.CompareExchange(ref pages[page], made, null) ?? made;
    }

    private void AddTo(long[] page, long cluster, int index, long weight)
    {
        ref long word = ref page[index / Lanes];
        int lane = index & (Lanes - 1);
        int shift = 8 * (BitConverter.IsLittleEndian ? lane : Lanes - 1 - lane);
        while (true)
        {
            long old = Volatile.Read(ref word);
            long count = (old >> shift) & 0xff;
            if (count == IsWide)
            {
                Interlocked.Add(ref Make(_wide, (int)(cluster >> PageBits), PageLength)[index], weight);
                return;
            }

            long sum = count + weight;
            long shown = Math.Min(sum, IsWide);
            if (Interlocked.CompareExchange(ref word, (old & ~(0xffL << shift)) | (shown << shift), old) != old)
            {
                continue;
            }

            if (shown == IsWide)
            {
                // Whoever comes between finds 255 and adds to the same sum.
                Interlocked.Add(ref Make(_wide, (int)(cluster >> PageBits), PageLength)[index], sum);
            }

            return;
        }
    }
}
