using System.Buffers.Binary;

namespace Qcow2.Engine.Codecs;

/// <summary>How far inflating has got: what was read, what was written, and the bits in between.</summary>
internal ref struct InflateState
{
    internal ReadOnlySpan<byte> Input;
    internal Span<byte> Output;

    /// <summary>The first byte of the input that is not in <see cref="Bits"/>.</summary>
    internal int Next;

    /// <summary>Bytes of the output that are there.</summary>
    internal int Filled;

    /// <summary>The next bits, from the lowest; zeros above them.</summary>
    internal ulong Bits;

    internal int BitCount;

    /// <summary>Of a match that found no room: what is left of it, and how far back it lies.</summary>
    internal int RestLength;

    internal int RestDistance;

    /// <summary>Gets bits, up to 32.</summary>
    /// <returns>False if the input ends before.</returns>
    internal bool Need(int count)
    {
        while (BitCount < count)
        {
            if (Next >= Input.Length)
            {
                return false;
            }

            Bits |= (ulong)Input[Next++] << BitCount;
            BitCount += 8;
        }

        return true;
    }

    /// <summary>Gets as many whole bytes as there is room for, where the input is long enough.</summary>
    internal void Refill()
    {
        if (Next <= Input.Length - sizeof(ulong))
        {
            int bytes = (63 - BitCount) >> 3;
            ulong more = BinaryPrimitives.ReadUInt64LittleEndian(Input.Slice(Next)) & ((1UL << (bytes << 3)) - 1);
            Bits |= more << BitCount;
            BitCount += bytes << 3;
            Next += bytes;
        }
    }

    /// <summary>Takes bits that are there.</summary>
    internal int Take(int count)
    {
        int value = (int)(Bits & ((1UL << count) - 1));
        Bits >>= count;
        BitCount -= count;
        return value;
    }

    /// <summary>Looks up the next code and takes it, but not its extra bits.</summary>
    /// <returns>False if the input ends before.</returns>
    internal bool TakeCode(uint[] table, int indexBits, out uint entry)
    {
        while (true)
        {
            entry = table[Bits & ((1UL << indexBits) - 1)];
            int length = 0;
            if ((entry & (InflateSymbols.Exceptional | InflateSymbols.Continued)) == (InflateSymbols.Exceptional | InflateSymbols.Continued))
            {
                length = indexBits;
                entry = table[(entry >> InflateSymbols.BaseShift) + ((Bits >> indexBits) & ((1UL << CodeBits(entry)) - 1))];
            }

            // A code that is no longer than what is there does not depend on the zeros above it.
            length += CodeBits(entry);
            if (length <= BitCount)
            {
                Take(length);
                return true;
            }

            if (!Need(BitCount + 1))
            {
                return false;
            }
        }
    }

    /// <summary>The number that a length or distance is, with its extra bits.</summary>
    /// <returns>False if the input ends before.</returns>
    internal bool TakeNumber(uint entry, out int number)
    {
        int extra = (byte)entry - CodeBits(entry);
        number = (int)(entry >> InflateSymbols.BaseShift);
        if (!Need(extra))
        {
            return false;
        }

        number += Take(extra);
        return true;
    }

    private static int CodeBits(uint entry) => (int)(entry >> InflateSymbols.CodeShift) & InflateSymbols.CodeMask;
}
