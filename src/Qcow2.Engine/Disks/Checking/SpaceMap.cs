namespace Qcow2.Engine.Disks.Checking;

/// <summary>Which units of a file are in use, a bit each. Memory is taken where bits are set, and is an eighth of a byte a unit at most.</summary>
internal sealed class SpaceMap
{
    /// <summary>Most units of a map, for which it takes 128 MiB.</summary>
    internal const long MaxUnits = 1L << 30;

    private const int PageShift = 16;
    private const int WordBits = 64;
    private const long PageUnits = 1L << PageShift;

    private readonly ulong[]?[] _pages;

    internal SpaceMap(long units)
    {
        Units = units <= MaxUnits ? units : throw new ArgumentOutOfRangeException(nameof(units));
        _pages = new ulong[]?[(int)((units + PageUnits - 1) >> PageShift)];
    }

    internal long Units { get; }

    /// <summary>Takes units; what lies outside of the map is left out.</summary>
    /// <returns>Whether none of them was taken before.</returns>
    internal bool TryTake(long first, long count) => Visit(first, count, isTaking: true);

    /// <summary>Whether none of some units was taken; what lies outside of the map was not.</summary>
    internal bool IsFree(long first, long count) => Visit(first, count, isTaking: false);

    /// <summary>Takes what another map of the same size has taken.</summary>
    internal void Add(SpaceMap other)
    {
        for (int i = 0; i < _pages.Length; i++)
        {
            if (other._pages[i] is ulong[] page)
            {
                ulong[] own = _pages[i] ??= new ulong[page.Length];
                for (int word = 0; word < page.Length; word++)
                {
                    own[word] |= page[word];
                }
            }
        }
    }

    /// <summary>Runs of units that nobody took, in order.</summary>
    internal IEnumerable<(long First, long Count)> Free()
    {
        long start = -1;
        for (long unit = 0; unit < Units;)
        {
            ulong[]? page = _pages[unit >> PageShift];
            ulong word = page?[(int)((unit & (PageUnits - 1)) / WordBits)] ?? 0;
            if (page is null || word is 0 or ulong.MaxValue)
            {
                if (word != 0 && start >= 0)
                {
                    yield return (start, unit - start);
                }

                start = word != 0 ? -1 : start < 0 ? unit : start;
                unit += page is null ? PageUnits : WordBits;
                continue;
            }

            for (int bit = 0; bit < WordBits && unit < Units; bit++, unit++)
            {
                bool isTaken = (word >> bit & 1) != 0;
                if (isTaken && start >= 0)
                {
                    yield return (start, unit - start);
                }

                start = isTaken ? -1 : start < 0 ? unit : start;
            }
        }

        if (start >= 0)
        {
            yield return (start, Units - start);
        }
    }

    private bool Visit(long first, long count, bool isTaking)
    {
        bool isFree = true;
        long end = Math.Min(Units, first + count);
        for (long unit = Math.Max(0, first); unit < end;)
        {
            ulong[]? page = _pages[unit >> PageShift];
            if (page is null)
            {
                if (!isTaking)
                {
                    unit = ((unit >> PageShift) + 1) << PageShift;
                    continue;
                }

                page = _pages[unit >> PageShift] = new ulong[PageUnits / WordBits];
            }

            int word = (int)((unit & (PageUnits - 1)) / WordBits);
            int bit = (int)(unit % WordBits);
            int bits = (int)Math.Min(end - unit, WordBits - bit);
            ulong mask = (bits == WordBits ? ulong.MaxValue : (1UL << bits) - 1) << bit;
            isFree &= (page[word] & mask) == 0;
            page[word] |= isTaking ? mask : 0;
            unit += bits;
        }

        return isFree;
    }
}
