namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Writes deflate by hand, bit by bit.</summary>
internal sealed class DeflateBits
{
    private readonly List<byte> _bytes = [];
    private int _used = 8;

    internal byte[] ToArray() => [.. _bytes];

    /// <summary>A number, from its lowest bit.</summary>
    internal DeflateBits Number(int value, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Bit((value >> i) & 1);
        }

        return this;
    }

    /// <summary>Codes and numbers as zeros and ones, in the order of the stream; other signs are for the reader.</summary>
    internal DeflateBits Bits(string bits)
    {
        foreach (char bit in bits)
        {
            if (bit is '0' or '1')
            {
                Bit(bit - '0');
            }
        }

        return this;
    }

    /// <summary>Zeros up to the next byte.</summary>
    internal DeflateBits Align()
    {
        _used = 8;
        return this;
    }

    internal DeflateBits Bytes(params byte[] bytes)
    {
        Align();
        _bytes.AddRange(bytes);
        return this;
    }

    private void Bit(int bit)
    {
        if (_used == 8)
        {
            _bytes.Add(0);
            _used = 0;
        }

        _bytes[^1] |= (byte)(bit << _used++);
    }
}
