using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Codecs;

/// <summary>
/// Finds what lies at most a window back and is the same. Places whose first four bytes have the same hash are chained, the latest first;
/// of those whose first three have, only the latest is known, for matches of three bytes.
/// </summary>
/// <remarks>
/// Places are kept by their lowest 16 bits, and <c>window + 1</c> is added, so that the zeros of a new table are too far back. What a table says
/// can be out of date by any multiple of 64 KiB; but the distance that follows from it is one that leads to a byte of the data, and what lies there is
/// compared before anything is made of it.
/// </remarks>
internal unsafe struct DeflateMatches
{
    /// <summary>Bytes behind the data that are read, too; they must always be the same.</summary>
    internal const int Slack = 16;

    private const int LongLength = 4;

    // It is odd, and so the highest bits of a product depend on all bytes.
    private const uint Multiplier = 0x9E37_79B1;

    internal byte* Data;
    internal int End;
    internal int Window;
    internal int NiceLength;

    /// <summary>How far back a match of three bytes may be.</summary>
    internal int ShortReach;

    /// <summary>The latest place for each hash of four bytes.</summary>
    internal ushort* Long;

    /// <summary>How far a product is shifted to make the hash.</summary>
    internal int LongShift;

    /// <summary>The latest place for each hash of three bytes.</summary>
    internal ushort* Short;

    internal int ShortShift;

    /// <summary>For each place in the window the one before it that has the same hash.</summary>
    internal ushort* Chain;

    /// <summary>Adds a place without looking for a match, and so that none of three bytes is found there: that would take more time than it saves space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly void Insert(int position)
    {
        uint word = Read(Data + position);
        ushort* latest = Long + ((word * Multiplier) >> LongShift);
        ushort place = (ushort)(position + Window + 1);
        Chain[position & (Window - 1)] = *latest;
        *latest = place;
    }

    /// <summary>Adds a place, and looks for a match of what is there.</summary>
    /// <param name="position">The place, which is the one after the last, or a later one.</param>
    /// <param name="toBeat">Only longer matches count; 2 for any.</param>
    /// <param name="depth">Earlier places that are looked at.</param>
    /// <returns>The length in the upper 16 bits, the distance in the lower; 0 for none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly uint Find(int position, int toBeat, int depth)
    {
        byte* current = Data + position;
        uint word = Read(current);
        ushort* latest = Long + ((word * Multiplier) >> LongShift);
        ushort* latestShort = Short + (((word << 8) * Multiplier) >> ShortShift);
        ushort place = (ushort)(position + Window + 1);
        ushort candidate = *latest;
        int distance = (ushort)(place - candidate);
        int shortDistance = (ushort)(place - *latestShort);
        Chain[position & (Window - 1)] = candidate;
        *latest = place;
        *latestShort = place;

        uint match = 0;
        if (IsInWindow(distance))
        {
            match = Walk(position, distance, Math.Max(toBeat, LongLength - 1), depth);
        }

        if (match == 0 && toBeat <= DeflateAlphabet.MinMatch && (uint)(shortDistance - 1) < (uint)ShortReach
            && (Read(current - shortDistance) ^ word) << 8 == 0 && End - position >= DeflateAlphabet.MinMatch)
        {
            match = Match(DeflateAlphabet.MinMatch, shortDistance);
        }

        return match;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Match(int length, int distance) => ((uint)length << 16) | (uint)distance;

    /// <summary>Whether it is a distance at all, and not too large.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool IsInWindow(int distance) => (uint)(distance - 1) < (uint)Window;

    /// <summary>Looks at the places of a chain.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly uint Walk(int position, int distance, int longest, int depth)
    {
        int limit = Math.Min(End - position, DeflateAlphabet.MaxMatch);
        if (longest >= limit)
        {
            return 0;
        }

        byte* current = Data + position;
        ushort* chain = Chain;
        int window = Window;
        int nice = Math.Min(NiceLength, limit);
        ushort place = (ushort)(position + window + 1);
        uint word = Read(current);
        int found = 0;

        // The bytes that would make a match longer rarely agree, so they are looked at first.
        uint tail = Read(current + longest - 3);
        while (true)
        {
            byte* other = current - distance;
            if (Read(other + longest - 3) == tail && Read(other) == word)
            {
                int length = CommonLength(other, current, limit);
                if (length > longest)
                {
                    longest = length;
                    found = distance;
                    if (length >= nice)
                    {
                        break;
                    }

                    tail = Read(current + longest - 3);
                }
            }

            if (--depth <= 0)
            {
                break;
            }

            // Where the distance does not grow, a later place has taken the room of this one.
            int earlier = (ushort)(place - chain[(position - distance) & (window - 1)]);
            if (earlier <= distance || earlier > window)
            {
                break;
            }

            distance = earlier;
        }

        return found == 0 ? 0 : Match(longest, found);
    }

    /// <summary>How many bytes are the same, of which four are known to be; what lies behind the data is not counted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CommonLength(byte* first, byte* second, int limit)
    {
        int length = LongLength;
        while (length < limit)
        {
            ulong difference = ReadEight(first + length) ^ ReadEight(second + length);
            if (difference != 0)
            {
                length += BitMath.TrailingZeros(difference) >> 3;
                break;
            }

            length += sizeof(ulong);
        }

        return Math.Min(length, limit);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read(byte* place)
    {
        uint value = Unsafe.ReadUnaligned<uint>(place);
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ReadEight(byte* place)
    {
        ulong value = Unsafe.ReadUnaligned<ulong>(place);
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }
}
