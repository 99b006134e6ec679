using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Codecs;

/// <summary>Writes bits, the lowest first. Whoever writes has made sure that there is room.</summary>
/// <remarks>No more than four fields, so that a copy in a local variable is kept in registers.</remarks>
/// <param name="destination">Where they go.</param>
/// <param name="end">Where the room ends; the <see cref="Slack"/> behind it may be written, too.</param>
internal unsafe struct DeflateBitWriter(byte* destination, byte* end)
{
    /// <summary>Bytes behind the room that are written together with its last ones.</summary>
    internal const int Slack = sizeof(ulong);

    /// <summary>The most bits that are written at once.</summary>
    internal const int MaxBits = 56;

    private readonly byte* _end = end;
    private byte* _next = destination;
    private ulong _pending;
    private int _pendingBits; // Fewer than 8.

    /// <summary>Bits that can still be written.</summary>
    internal readonly long Room => ((_end - _next) * 8) - _pendingBits;

    /// <summary>Bits to the next byte.</summary>
    internal readonly int Padding => -_pendingBits & 7;

    /// <summary>Adds bits.</summary>
    /// <param name="value">The bits; those above are 0.</param>
    /// <param name="count">At most <see cref="MaxBits"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Write(ulong value, int count)
    {
        ulong pending = _pending | (value << _pendingBits);
        int bits = _pendingBits + count;
        Unsafe.WriteUnaligned(_next, BitConverter.IsLittleEndian ? pending : BinaryPrimitives.ReverseEndianness(pending));
        _next += bits >> 3;
        _pending = pending >> (bits & ~7);
        _pendingBits = bits & 7;
    }

    /// <summary>Adds whole bytes, from the next byte on.</summary>
    internal void Write(ReadOnlySpan<byte> bytes)
    {
        Write(0, Padding);
        bytes.CopyTo(new Span<byte>(_next, bytes.Length));
        _next += bytes.Length;
    }

    /// <summary>Fills the last byte with zero bits.</summary>
    /// <returns>Where what was written ends.</returns>
    internal byte* Finish()
    {
        Write(0, Padding);
        return _next;
    }
}
