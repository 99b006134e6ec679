namespace Qcow2.Engine.Packed.Bzip2;

/// <summary>The bits of a bzip2 file, from the highest of each byte.</summary>
internal sealed class Bzip2Bits(PackedInput input)
{
    private ulong _bits;
    private int _count;

    /// <summary>The next bits, up to 32, which stay.</summary>
    /// <returns>With zeros in place of what the file does not have any more.</returns>
    internal uint Peek(int count)
    {
        if (_count < count)
        {
            Refill();
        }

        return (uint)(_bits >> (64 - count));
    }

    /// <summary>Goes past bits that were looked at.</summary>
    internal void Skip(int count)
    {
        if (_count < count)
        {
            throw input.CutOff();
        }

        _bits <<= count;
        _count -= count;
    }

    /// <summary>Takes bits, 1 to 32.</summary>
    internal uint Take(int count)
    {
        uint value = Peek(count);
        Skip(count);
        return value;
    }

    /// <summary>Goes to where the next byte begins.</summary>
    /// <returns>Whether the file goes on there.</returns>
    internal bool Align()
    {
        Skip(_count & 7);
        if (_count == 0)
        {
            Refill();
        }

        return _count > 0;
    }

    private void Refill()
    {
        while (_count <= 56 && input.TryGet(1))
        {
            ReadOnlySpan<byte> available = input.Available;
            int taken = 0;
            while (_count <= 56 && taken < available.Length)
            {
                _bits |= (ulong)available[taken++] << (56 - _count);
                _count += 8;
            }

            input.Skip(taken);
        }
    }
}
