namespace Qcow2.Engine.Nbd;

/// <summary>
/// Cuts data that were read into chunks of data and of holes, where they lie: the head of a chunk is written over zeros that are not sent, or
/// into the room in front of the buffer. What is zeros is seen by looking; that costs nothing where there are none, and is right also for
/// zeros that are stored.
/// </summary>
internal sealed class NbdFragments
{
    /// <summary>The smallest stretch of zeros that a client is told of as such, and where it begins and ends.</summary>
    internal const int Grain = 16 * 1024;

    private readonly List<(int Start, int Length)> _holes = [];

    /// <summary>Lays out the chunks for what lies in a buffer from its headroom on.</summary>
    /// <param name="segments">Gets what is to be sent of the buffer.</param>
    /// <param name="cookie">The request's.</param>
    /// <param name="offset">Where the data lie on the disk.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="isEnd">Whether these are the last chunks of the reply.</param>
    internal void Lay(NbdSegments segments, ulong cookie, long offset, int length, bool isEnd)
    {
        FindHoles(segments.Buffer.AsSpan(NbdBuffers.Headroom, length), offset);
        int done = 0;
        foreach ((int start, int count) in _holes)
        {
            AddData(segments, cookie, offset, done, start - done, isLast: false);
            AddHole(segments, cookie, offset, start, count, isEnd && start + count == length);
            done = start + count;
        }

        AddData(segments, cookie, offset, done, length - done, isEnd);
    }

    private static void AddData(NbdSegments segments, ulong cookie, long offset, int start, int count, bool isLast)
    {
        if (count > 0)
        {
            int head = NbdBuffers.Headroom + start - NbdReply.DataHeadBytes;
            NbdReply.WriteDataHead(segments.Buffer.AsSpan(head), cookie, offset + start, count, isLast);
            segments.Add(head, NbdReply.DataHeadBytes + count);
        }
    }

    private static void AddHole(NbdSegments segments, ulong cookie, long offset, int start, int count, bool isLast)
    {
        // Of the first, in the headroom, where there is place for it and for the head of what follows.
        int place = start == 0 ? 0 : NbdBuffers.Headroom + start;
        NbdReply.WriteHole(segments.Buffer.AsSpan(place), cookie, offset + start, count, isLast);
        segments.Add(place, NbdReply.HoleBytes);
    }

    /// <summary>Finds stretches of zeros, a grain of the disk at least, or all there is.</summary>
    private void FindHoles(ReadOnlySpan<byte> data, long offset)
    {
        _holes.Clear();
        int lead = (int)(-offset & (Grain - 1));
        if (data.Length <= Grain)
        {
            if (SpanSearch.IsAllZero(data))
            {
                _holes.Add((0, data.Length));
            }

            return;
        }

        int holeStart = -1;
        for (int start = 0; start < data.Length;)
        {
            int end = Math.Min(data.Length, start == 0 && lead > 0 ? lead : start + Grain);
            bool isZero = SpanSearch.IsAllZero(data.Slice(start, end - start));
            if (isZero && holeStart < 0)
            {
                holeStart = start;
            }

            if (holeStart >= 0 && (!isZero || end == data.Length))
            {
                int holeEnd = isZero ? end : start;
                if (holeEnd - holeStart >= Grain || holeEnd - holeStart == data.Length)
                {
                    _holes.Add((holeStart, holeEnd - holeStart));
                }

                holeStart = -1;
            }

            start = end;
        }
    }
}
