using System.Numerics;
using System.Runtime.InteropServices;

namespace Qcow2.Engine.Disks.Encryption;

/// <summary>What the ciphers do to spans of whole sectors.</summary>
internal static class SectorSpan
{
    /// <summary>Refuses a span that is not a whole number of sectors.</summary>
    internal static void Check(ReadOnlySpan<byte> data)
    {
        if (data.Length % SectorCipher.SectorSize != 0)
        {
            throw new ArgumentException($"{data.Length} bytes are not a whole number of {SectorCipher.SectorSize}-byte sectors.", nameof(data));
        }
    }

    /// <summary>Writes <paramref name="left"/> XOR <paramref name="right"/> to the target, which may be one of them.</summary>
    internal static void Xor(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> target)
    {
        int done = XorVectors(left, right, target);
        done += XorWords(left.Slice(done), right.Slice(done), target.Slice(done));
        for (int i = done; i < left.Length; i++)
        {
            target[i] = (byte)(left[i] ^ right[i]);
        }
    }

    private static int XorVectors(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> target)
    {
        ReadOnlySpan<Vector<byte>> a = MemoryMarshal.Cast<byte, Vector<byte>>(left);
        ReadOnlySpan<Vector<byte>> b = MemoryMarshal.Cast<byte, Vector<byte>>(right).Slice(0, a.Length);
        Span<Vector<byte>> to = MemoryMarshal.Cast<byte, Vector<byte>>(target).Slice(0, a.Length);
        for (int i = 0; i < a.Length; i++)
        {
            to[i] = a[i] ^ b[i];
        }

        return a.Length * Vector<byte>.Count;
    }

    // For single blocks, which are shorter than the vectors of many processors.
    private static int XorWords(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, Span<byte> target)
    {
        ReadOnlySpan<ulong> a = MemoryMarshal.Cast<byte, ulong>(left);
        ReadOnlySpan<ulong> b = MemoryMarshal.Cast<byte, ulong>(right).Slice(0, a.Length);
        Span<ulong> to = MemoryMarshal.Cast<byte, ulong>(target).Slice(0, a.Length);
        for (int i = 0; i < a.Length; i++)
        {
            to[i] = a[i] ^ b[i];
        }

        return a.Length * sizeof(ulong);
    }
}
