using System.Diagnostics;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// The memory for data on their way, of all clients together. Who wants more than there is waits for what others give back, so that no
/// number of clients and no size of their requests takes more. Buffers are used again.
/// </summary>
internal sealed class NbdBuffers
{
    /// <summary>Room in each buffer in front of the data, for the head of a reply.</summary>
    internal const int Headroom = 64;

    private const int SmallestBits = 16;
    private const int LargestBits = 25; // NbdConstants.MaxPayload

    private readonly object _gate = new();
    private readonly Stack<byte[]>[] _free = new Stack<byte[]>[LargestBits - SmallestBits + 1];
    private readonly long _limit;
    private long _taken;
    private int _waiting;
    private long _waitingSince;
    private bool _isClosed;

    /// <summary>Makes a budget.</summary>
    /// <param name="limit">Bytes; room for one request of the largest size at least.</param>
    internal NbdBuffers(long limit)
    {
        _limit = Math.Max(limit, SizeOf(LargestBits));
        for (int i = 0; i < _free.Length; i++)
        {
            _free[i] = new Stack<byte[]>();
        }
    }

    /// <summary>Bytes that exist, used or ready for use.</summary>
    internal long Taken
    {
        get
        {
            lock (_gate)
            {
                return _taken;
            }
        }
    }

    /// <summary>How long somebody has been waiting for memory.</summary>
    internal TimeSpan Shortage
    {
        get
        {
            lock (_gate)
            {
                return _waiting == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds((Stopwatch.GetTimestamp() - _waitingSince) / (double)Stopwatch.Frequency);
            }
        }
    }

    /// <summary>Takes a buffer, waiting for one if there is none.</summary>
    /// <param name="length">Bytes of data that it must hold, <see cref="Headroom"/> aside.</param>
    /// <param name="isWanted">Asked while waiting: whether the buffer is still wanted.</param>
    /// <returns>Null if it is wanted no more, or the server ends.</returns>
    internal byte[]? Take(int length, Func<bool> isWanted)
    {
        int bits = BitsFor(length);
        lock (_gate)
        {
            byte[]? buffer;
            bool isWaiting = false;
            while ((buffer = TryTake(bits)) is null && !_isClosed && isWanted())
            {
                if (!isWaiting)
                {
                    isWaiting = true;
                    _waitingSince = _waiting++ == 0 ? Stopwatch.GetTimestamp() : _waitingSince;
                }

                Monitor.Wait(_gate, 250);
            }

            if (isWaiting)
            {
                _waiting--;
                _waitingSince = Stopwatch.GetTimestamp();
            }

            return buffer;
        }
    }

    /// <summary>Gives a buffer back.</summary>
    internal void Return(byte[] buffer)
    {
        lock (_gate)
        {
            _free[BitsFor(buffer.Length - Headroom) - SmallestBits].Push(buffer);
            if (_waiting > 0)
            {
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Lets go of what nobody uses.</summary>
    internal void Trim()
    {
        lock (_gate)
        {
            for (int bits = SmallestBits; bits <= LargestBits; bits++)
            {
                Stack<byte[]> unused = _free[bits - SmallestBits];
                _taken -= unused.Count * SizeOf(bits);
                unused.Clear();
            }
        }
    }

    /// <summary>Lets nobody wait any more.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private static long SizeOf(int bits) => (1L << bits) + Headroom;

    private static int BitsFor(int length)
    {
        int bits = SmallestBits;
        while (1 << bits < length)
        {
            bits++;
        }

        return bits;
    }

    private byte[]? TryTake(int bits)
    {
        Stack<byte[]> free = _free[bits - SmallestBits];
        if (free.Count > 0)
        {
            return free.Pop();
        }

        long size = SizeOf(bits);
        for (int other = LargestBits; other >= SmallestBits && _taken + size > _limit; other--)
        {
            Stack<byte[]> unused = _free[other - SmallestBits];
            while (unused.Count > 0 && _taken + size > _limit)
            {
                unused.Pop(); // The collector takes it; others of this size are asked for now.
                _taken -= SizeOf(other);
            }
        }

        if (_taken + size > _limit)
        {
            return null;
        }

        _taken += size;
        return new byte[(int)size];
    }
}
