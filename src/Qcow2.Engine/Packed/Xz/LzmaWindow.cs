using System.Runtime.CompilerServices;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>The last bytes that came out of LZMA, in a ring that grows up to the size that the file asks for: a claim costs nothing.</summary>
internal sealed class LzmaWindow
{
    private const int FirstBytes = 1 << 16;

    private byte[] _ring = [];
    private int _most;
    private int _position;
    private int _limit;
    private int _taken;
    private bool _isFull;
    private int _restLength;
    private int _restDistance;

    /// <summary>Where the next byte goes, since the window was last emptied; of that only what it is modulo 16 is of use.</summary>
    internal int Position => _position;

    /// <summary>Whether there may come more before somebody must take what is there.</summary>
    internal bool HasRoom => _position < _limit;

    /// <summary>Whether a match has not been copied to its end.</summary>
    internal bool HasRest => _restLength > 0;

    /// <summary>Whether there is something to take.</summary>
    internal bool HasOutput => _taken < _position;

    /// <summary>The byte before the next one; 0 at the start.</summary>
    internal int LastByte => _position > 0 ? _ring[_position - 1] : _isFull ? _ring[_ring.Length - 1] : 0;

    /// <summary>Begins a block.</summary>
    /// <param name="most">Bytes that matches reach back at most; a multiple of 16.</param>
    internal void Begin(int most)
    {
        _most = most;
        if (_ring.Length > most || _ring.Length == 0)
        {
            _ring = new byte[Math.Min(most, FirstBytes)];
        }

        Empty();
    }

    /// <summary>Forgets what is there, all of which was taken.</summary>
    internal void Empty()
    {
        _position = 0;
        _limit = 0;
        _taken = 0;
        _isFull = false;
        _restLength = 0;
    }

    /// <summary>Makes room.</summary>
    /// <param name="count">Bytes that are wanted.</param>
    /// <returns>How many there is room for, at least one.</returns>
    internal int Reserve(int count)
    {
        if (_position == _ring.Length)
        {
            if (_ring.Length < _most)
            {
                Array.Resize(ref _ring, (int)Math.Min(_most, 2L * _ring.Length));
            }
            else
            {
                _position = 0;
                _taken = 0;
                _isFull = true;
            }
        }

        count = Math.Min(count, _ring.Length - _position);
        _limit = _position + count;
        return count;
    }

    /// <summary>Whether a distance, which is one less than how far back it leads, leads to a byte that is there.</summary>
    internal bool Has(int distance) => distance < (_isFull ? _ring.Length : _position);

    /// <summary>The byte at a distance; 0 where there is none, which only damage asks for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte ByteAt(int distance)
    {
        int index = _position - distance - 1;
        index += index < 0 ? _ring.Length : 0;
        return (uint)index < (uint)_ring.Length ? _ring[index] : (byte)0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Put(byte value) => _ring[_position++] = value;

    /// <summary>Copies a match as far as there is room; the rest comes with <see cref="CopyRest"/>.</summary>
    internal void Repeat(int distance, int length)
    {
        int count = Math.Min(length, _limit - _position);
        _restLength = length - count;
        _restDistance = distance;
        byte[] ring = _ring;
        int to = _position;
        int from = to - distance - 1;
        if (from < 0)
        {
            // What lies behind the end of the ring first; it does not overlap what is written.
            from += ring.Length;
            int part = Math.Min(count, ring.Length - from);
            Buffer.BlockCopy(ring, from, ring, to, part);
            to += part;
            count -= part;
            from = 0;
        }

        if (distance == 0)
        {
            ring.AsSpan(to, count).Fill(ring[from]);
            _position = to + count;
            return;
        }

        // What was copied is there to be copied, too: twice as much each time.
        for (int step = distance + 1; count > 0;)
        {
            int part = Math.Min(count, step);
            ring.AsSpan(from, part).CopyTo(ring.AsSpan(to));
            to += part;
            count -= part;
            step += part;
        }

        _position = to;
    }

    /// <summary>Goes on with a match that found no room.</summary>
    internal void CopyRest()
    {
        if (_restLength > 0)
        {
            Repeat(_restDistance, _restLength);
        }
    }

    /// <summary>Takes bytes as they are.</summary>
    internal void Put(PackedInput input)
    {
        input.Take(_ring.AsSpan(_position, _limit - _position));
        _position = _limit;
    }

    /// <summary>Hands out what came.</summary>
    internal int Take(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _position - _taken);
        _ring.AsSpan(_taken, count).CopyTo(buffer);
        _taken += count;
        return count;
    }
}
