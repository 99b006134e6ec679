using System.Buffers.Binary;

namespace Qcow2.Engine.Codecs;

/// <summary>Writes bits, the lowest first. Whoever writes has made sure that there is room.</summary>
internal ref struct DeflateBitWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;
    private ulong _pending;
    private int _pendingBits;
    private int _position;

    /// <summary>Bits that can still be written.</summary>
    internal readonly long Room => ((long)(_destination.Length - _position) * 8) - _pendingBits;

    /// <summary>Bits to the next byte.</summary>
    internal readonly int Padding => -_pendingBits & 7;

    /// <summary>Bytes written, the last one filled with zero bits.</summary>
    internal readonly int Length => _position + ((_pendingBits + 7) / 8);

    /// <summary>Adds bits.</summary>
    /// <param name="value">The bits; those above are 0.</param>
    /// <param name="count">At most 16.</param>
    internal void Write(int value, int count)
    {
        _pending |= (ulong)(uint)value << _pendingBits;
        _pendingBits += count;
        if (_pendingBits >= 32)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_destination.Slice(_position), (uint)_pending);
            _position += sizeof(uint);
            _pending >>= 32;
            _pendingBits -= 32;
        }
    }

    /// <summary>Adds whole bytes, from the next byte on.</summary>
    internal void Write(ReadOnlySpan<byte> bytes)
    {
        Flush();
        bytes.CopyTo(_destination.Slice(_position));
        _position += bytes.Length;
    }

    /// <summary>Fills the byte that is begun with zero bits.</summary>
    internal void Flush()
    {
        for (; _pendingBits > 0; _pendingBits -= 8)
        {
            _destination[_position++] = (byte)_pending;
            _pending >>= 8;
        }

        _pendingBits = 0;
        _pending = 0;
    }
}
