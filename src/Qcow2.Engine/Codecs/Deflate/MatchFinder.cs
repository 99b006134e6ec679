using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Codecs;

/// <summary>
/// Finds earlier places, at most a window back, that hold the same bytes. Places whose first three bytes have the same hash are
/// chained, the latest first.
/// </summary>
/// <param name="effort">How long they are looked for.</param>
/// <param name="window">How far back they are looked for, in bytes; a power of two.</param>
internal sealed unsafe class MatchFinder(MatchEffort effort, int window)
{
    private const int HashBits = 14;
    private const int Nowhere = -1;

    private readonly int _mask = window - 1;
    private readonly int[] _latest = new int[1 << HashBits];
    private readonly int[] _earlier = new int[window];

    /// <summary>Forgets everything. What <c>_earlier</c> holds is only reached from places that were added since.</summary>
    internal void Reset() => _latest.AsSpan().Fill(Nowhere);

    /// <summary>Adds a place, which must be the one after the last, without looking for a match.</summary>
    /// <param name="data">The whole data; three bytes of it at least follow the place.</param>
    /// <param name="position">The place.</param>
    internal void Add(byte[] data, int position)
    {
        ref int latest = ref _latest[Hash(data, position)];
        _earlier[position & _mask] = latest;
        latest = position;
    }

    /// <summary>Adds a place, and looks for the longest match of what is there.</summary>
    /// <param name="data">The whole data.</param>
    /// <param name="position">The place; three bytes at least follow.</param>
    /// <param name="end">Where the data ends in the array.</param>
    /// <param name="toBeat">Only longer matches count; at least 1.</param>
    /// <param name="distance">How far back the match is.</param>
    /// <returns>Bytes that match, or 0.</returns>
    internal int AddAndFind(byte[] data, int position, int end, int toBeat, out int distance)
    {
        ref int latest = ref _latest[Hash(data, position)];
        int candidate = latest;
        _earlier[position & _mask] = candidate;
        latest = position;

        distance = 0;
        int longest = toBeat;
        int limit = Math.Min(end - position, DeflateAlphabet.MaxMatch);
        int enough = Math.Min(limit, effort.NiceLength);
        int chain = toBeat >= effort.GoodLength ? effort.Chain / 4 : effort.Chain;
        int oldest = Math.Max(0, position - _mask - 1);
        if (longest >= limit)
        {
            return 0;
        }

        // A candidate lies before the position, and longest < limit, which ends at the end of the data at most: nothing outside the
        // arrays is read. The two bytes that would make a match longer rarely agree, so they are looked at first.
        fixed (byte* start = data)
        fixed (int* earlier = _earlier)
        {
            byte* current = start + position;
            ushort tail = ReadTwo(current + longest - 1);
            for (; candidate >= oldest && chain > 0; chain--)
            {
                byte* other = start + candidate;
                if (ReadTwo(other + longest - 1) == tail)
                {
                    int length = CommonLength(other, current, limit);
                    if (length > longest)
                    {
                        longest = length;
                        distance = position - candidate;
                        if (length >= enough)
                        {
                            break;
                        }

                        tail = ReadTwo(current + longest - 1);
                    }
                }

                int next = earlier[candidate & _mask];
                if (next >= candidate)
                {
                    break; // Its place in the ring was taken by a later one.
                }

                candidate = next;
            }
        }

        return distance == 0 ? 0 : longest;
    }

    private static ushort ReadTwo(byte* place) => Unsafe.ReadUnaligned<ushort>(place);

    private static ulong ReadEight(byte* place) => Unsafe.ReadUnaligned<ulong>(place);

    private static int CommonLength(byte* first, byte* second, int limit)
    {
        int length = 0;
        while (length <= limit - sizeof(ulong) && ReadEight(first + length) == ReadEight(second + length))
        {
            length += sizeof(ulong);
        }

        while (length < limit && first[length] == second[length])
        {
            length++;
        }

        return length;
    }

    private static uint Hash(byte[] data, int position)
    {
        uint bytes = data[position] | ((uint)data[position + 1] << 8) | ((uint)data[position + 2] << 16);
        return (bytes * 0x9E3779B1u) >> (32 - HashBits);
    }
}
