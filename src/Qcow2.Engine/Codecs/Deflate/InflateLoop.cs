using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
#if NET
using System.Runtime.Intrinsics.X86;
#endif

namespace Qcow2.Engine.Codecs;

/// <summary>The symbols of a block, fast, while there is a margin of input and of output.</summary>
/// <remarks>
/// <para>
/// Input and output are read and written without a check for each byte; the margins are why that is safe:
/// </para>
/// <list type="bullet">
/// <item>Each turn of the loop reads 8 bytes of the input at most twice, and goes on by 7 at most in between: 15 bytes. It begins only where
/// <see cref="InputMargin"/> are left.</item>
/// <item>Each turn writes three literals at most, or two of them and a match. It begins only where <see cref="OutputMargin"/> are left, and copies a match in
/// pieces, which end less than that behind it, only if as many are left behind its end. A distance that leads before the output is damage.</item>
/// <item>A table has at least as many entries as its index has values, which is looked at before the loop. What lies behind those is read with a check.</item>
/// </list>
/// <para>
/// It is the order of things that makes it fast. A code's length decides where the next one begins, so nothing else stands between two look-ups: the next entry is
/// looked up before a match is copied, and bits are got where they are least waited for. Two literals in an entry would not pay: 3 % of the pairs in a file system's data fit into 11 bits, and a larger
/// table would leave the processor's nearest memory.
/// </para>
/// </remarks>
internal static class InflateLoop
{
    internal const int InputMargin = 16;
    internal const int OutputMargin = 32;

    private const int Piece = 16;
    private const ulong LiteralMask = (1 << Inflater.LiteralIndexBits) - 1;

    /// <summary>The longest distance's code and extra bits.</summary>
    private const int MostDistanceBits = DeflateAlphabet.MaxCodeLength + 13;

    /// <summary>Takes symbols until the block or a margin ends.</summary>
    internal static InflateStatus Run(ref InflateState state, uint[] literals, uint[] distances)
    {
        // Bits are got once before the first turn.
        if (state.Next > state.Input.Length - InputMargin - sizeof(ulong) || state.Filled > state.Output.Length - OutputMargin)
        {
            return InflateStatus.NearEnd;
        }

        ref byte input = ref MemoryMarshal.GetReference(state.Input);
        ref byte output = ref MemoryMarshal.GetReference(state.Output);
        ref uint firstLiteral = ref MemoryMarshal.GetReference(literals.AsSpan(0, 1 << Inflater.LiteralIndexBits));
        ref uint firstDistance = ref MemoryMarshal.GetReference(distances.AsSpan(0, 1 << Inflater.DistanceIndexBits));
        nint lastInput = state.Input.Length - InputMargin;
        nint lastOutput = state.Output.Length - OutputMargin;
        nint next = state.Next;
        nint filled = state.Filled;
        ulong bits = state.Bits;

        // How many of the bits count, in the lowest byte. Above it is what entries leave there.
        uint count = (uint)state.BitCount;
        InflateStatus status = InflateStatus.NearEnd;

        Refill(ref input, ref next, ref bits, ref count);
        uint entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
        do
        {
            ulong taken = bits;
            bits >>= (int)entry;
            count -= entry;
            if ((int)entry < 0)
            {
                Unsafe.Add(ref output, filled++) = (byte)(entry >> InflateSymbols.BaseShift);
                entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
                taken = bits;
                bits >>= (int)entry;
                count -= entry;
                if ((int)entry < 0)
                {
                    Unsafe.Add(ref output, filled++) = (byte)(entry >> InflateSymbols.BaseShift);
                    entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
                    taken = bits;
                    bits >>= (int)entry;
                    count -= entry;
                    if ((int)entry < 0)
                    {
                        Unsafe.Add(ref output, filled++) = (byte)(entry >> InflateSymbols.BaseShift);
                        entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
                        Refill(ref input, ref next, ref bits, ref count);
                        continue;
                    }
                }
            }

            if ((entry & InflateSymbols.Exceptional) != 0)
            {
                if ((entry & InflateSymbols.Continued) != 0)
                {
                    entry = literals[(entry >> InflateSymbols.BaseShift) + Low(bits, (entry >> InflateSymbols.CodeShift) & InflateSymbols.CodeMask)];
                    taken = bits;
                    bits >>= (int)entry;
                    count -= entry;
                    if ((int)entry < 0)
                    {
                        Unsafe.Add(ref output, filled++) = (byte)(entry >> InflateSymbols.BaseShift);
                        Refill(ref input, ref next, ref bits, ref count);
                        entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
                        continue;
                    }
                }

                if ((entry & InflateSymbols.Exceptional) != 0)
                {
                    status = (entry & InflateSymbols.EndOfBlock) != 0 ? InflateStatus.EndOfBlock : InflateStatus.Damaged;
                    break;
                }
            }

            nint length = Number(entry, taken);
            if ((byte)count < MostDistanceBits)
            {
                Refill(ref input, ref next, ref bits, ref count);
            }

            entry = Unsafe.Add(ref firstDistance, (nint)(byte)bits); // DistanceIndexBits of them.
            if ((entry & InflateSymbols.Exceptional) != 0)
            {
                if ((entry & InflateSymbols.Continued) != 0)
                {
                    bits >>= (int)entry;
                    count -= entry;
                    entry = distances[(entry >> InflateSymbols.BaseShift) + Low(bits, (entry >> InflateSymbols.CodeShift) & InflateSymbols.CodeMask)];
                }

                if ((entry & InflateSymbols.Exceptional) != 0)
                {
                    status = InflateStatus.Damaged;
                    break;
                }
            }

            nint distance = Number(entry, bits);
            bits >>= (int)entry;
            count -= entry;
            if (distance > filled)
            {
                status = InflateStatus.Damaged;
                break;
            }

            Refill(ref input, ref next, ref bits, ref count);
            entry = Unsafe.Add(ref firstLiteral, (nint)(bits & LiteralMask));
            nint end = filled + length;
            if (end > lastOutput)
            {
                int room = Math.Min((int)length, state.Output.Length - (int)filled);
                Inflater.Repeat(state.Output, (int)filled, (int)distance, room);
                filled += room;
                if (room < length)
                {
                    status = InflateStatus.Full;
                    state.RestLength = (int)length - room;
                    state.RestDistance = (int)distance;
                    break;
                }

                continue;
            }

            Copy(ref Unsafe.Add(ref output, filled), distance, length);
            filled = end;
        }
        while (next <= lastInput && filled <= lastOutput);

        // What was got too much is given back by the byte.
        int left = (byte)count;
        state.Next = (int)next - (left >> 3);
        state.BitCount = left & 7;
        state.Bits = bits & ((1UL << (left & 7)) - 1);
        state.Filled = (int)filled;
        return status;
    }

    /// <summary>Gets as many whole bytes as there is room for: 56 bits or more are there then. Above them are bits that come again with the next ones, the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Refill(ref byte input, ref nint next, ref ulong bits, ref uint count)
    {
        ulong more = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref input, next));
        bits |= (BitConverter.IsLittleEndian ? more : BinaryPrimitives.ReverseEndianness(more)) << (int)count;
        next += (nint)(7 - ((count >> 3) & 7));
        count |= 56;
    }

    /// <summary>What a length or distance is, of the bits from its code on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Number(uint entry, ulong bits)
        => (nint)((entry >> InflateSymbols.BaseShift) + (Low(bits, entry) >> (int)(entry >> InflateSymbols.CodeShift)));

    /// <summary>The lowest bits, as many as the lowest byte says, which is less than 64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Low(ulong bits, uint count)
    {
#if NET
        if (Bmi2.X64.IsSupported)
        {
            return Bmi2.X64.ZeroHighBits(bits, count);
        }
#endif
        return bits & ~(ulong.MaxValue << (int)count);
    }

    /// <summary>Copies a match in pieces, none of which reads what it writes; ends up to <see cref="OutputMargin"/> behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(ref byte to, nint distance, nint length)
    {
        ref byte from = ref Unsafe.Subtract(ref to, distance);
        if (distance >= Piece)
        {
            // Two without a look at the length: 19 of 20 matches are not longer.
            Unsafe.CopyBlockUnaligned(ref to, ref from, Piece);
            Unsafe.CopyBlockUnaligned(ref Unsafe.Add(ref to, Piece), ref Unsafe.Add(ref from, Piece), Piece);
            for (nint i = 2 * Piece; i < length; i += Piece)
            {
                Unsafe.CopyBlockUnaligned(ref Unsafe.Add(ref to, i), ref Unsafe.Add(ref from, i), Piece);
            }
        }
        else
        {
            CopyNear(ref to, distance, length);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CopyNear(ref byte to, nint distance, nint length)
    {
        ref byte from = ref Unsafe.Subtract(ref to, distance);
        if (distance == 1)
        {
            Unsafe.InitBlockUnaligned(ref to, from, (uint)length);
            return;
        }

        // A word, of which so many bytes are right as the distance has; the next word begins behind those.
        nint step = Math.Min((int)distance, sizeof(ulong));
        for (nint i = 0; i < length; i += step)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, i), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref from, i)));
        }
    }
}
