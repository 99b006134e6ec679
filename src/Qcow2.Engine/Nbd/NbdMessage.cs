using System.Buffers.Binary;

namespace Qcow2.Engine.Nbd;

/// <summary>A message that is put together, numbers with the high byte first.</summary>
internal sealed class NbdMessage
{
    internal byte[] Buffer { get; private set; } = new byte[512];

    internal int Length { get; private set; }

    internal void Clear() => Length = 0;

    internal NbdMessage Add(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(Take(sizeof(ushort)), value);
        return this;
    }

    internal NbdMessage Add(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Take(sizeof(uint)), value);
        return this;
    }

    internal NbdMessage Add(ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Take(sizeof(ulong)), value);
        return this;
    }

    internal NbdMessage Add(byte[] bytes)
    {
        bytes.CopyTo(Take(bytes.Length));
        return this;
    }

    internal NbdMessage AddZeros(int count)
    {
        Take(count).Clear();
        return this;
    }

    private Span<byte> Take(int count)
    {
        if (Buffer.Length - Length < count)
        {
            byte[] larger = new byte[Math.Max(Buffer.Length * 2, Length + count)];
            Buffer.AsSpan(0, Length).CopyTo(larger);
            Buffer = larger;
        }

        Span<byte> taken = Buffer.AsSpan(Length, count);
        Length += count;
        return taken;
    }
}

/// <summary>Reads a message that somebody else put together, who may claim what he likes of its lengths.</summary>
internal struct NbdReader(byte[] data)
{
    private int _position;

    internal readonly int Left => data.Length - _position;

    internal bool TryReadUInt16(out ushort value)
    {
        bool isThere = Left >= sizeof(ushort);
        value = isThere ? BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(_position)) : (ushort)0;
        _position += isThere ? sizeof(ushort) : 0;
        return isThere;
    }

    internal bool TryReadUInt32(out uint value)
    {
        bool isThere = Left >= sizeof(uint);
        value = isThere ? BinaryPrimitives.ReadUInt32BigEndian(data.AsSpan(_position)) : 0;
        _position += isThere ? sizeof(uint) : 0;
        return isThere;
    }

    /// <summary>Reads a length of 32 bits and as many bytes.</summary>
    internal bool TryReadText(out byte[] text)
    {
        bool isThere = TryReadUInt32(out uint length) && length <= (uint)Left;
        text = isThere ? data.AsSpan(_position, (int)length).ToArray() : [];
        _position += text.Length;
        return isThere;
    }
}
