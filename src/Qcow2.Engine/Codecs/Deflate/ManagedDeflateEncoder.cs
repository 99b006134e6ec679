namespace Qcow2.Engine.Codecs;

/// <summary>Raw deflate in managed code, for where .NET's zlib cannot be asked for QEMU's window.</summary>
internal sealed class ManagedDeflateEncoder : ClusterEncoder
{
    private readonly MatchEffort _effort;
    private readonly MatchFinder _finder;
    private readonly DeflateSymbols _symbols = new();
    private readonly DeflateBlockWriter _blocks = new();
    private byte[] _data = [];

    internal ManagedDeflateEncoder(int level, int windowBits = DeflateEncoder.WindowBits)
    {
        _effort = MatchEffort.Of(level);
        _finder = new MatchFinder(_effort, 1 << windowBits);
    }

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        if (_data.Length < cluster.Length)
        {
            _data = new byte[cluster.Length];
        }

        cluster.CopyTo(_data); // Spans are slow on .NET Framework, and cannot be kept.
        _finder.Reset();
        _symbols.Reset();
        var writer = new DeflateBitWriter(Room(cluster, compressed));
        bool fits = TryWrite(ref writer, cluster.Length);
        writer.Flush();
        length = fits ? writer.Length : 0;
        return fits;
    }

    public override void Dispose()
    {
        // There is only memory.
    }

    private bool TryWrite(ref DeflateBitWriter writer, int end)
    {
        int blockStart = 0;
        int position = 0;
        int length = 0; // Of the match at the position; 0 also where none was looked for.
        int distance = 0;
        bool isKnown = false;
        while (position < end)
        {
            if (_symbols.IsFull)
            {
                if (!_blocks.TryWrite(ref writer, _symbols, _data.AsSpan(blockStart, position - blockStart), isLast: false))
                {
                    return false;
                }

                _symbols.Reset();
                blockStart = position;
            }

            if (!isKnown)
            {
                length = Find(position, end, DeflateAlphabet.MinMatch - 1, out distance);
            }

            isKnown = false;
            if (length == 0)
            {
                _symbols.AddLiteral(_data[position++]);
                continue;
            }

            int added = 1;
            if (length < _effort.LazyLength)
            {
                int nextLength = Find(position + 1, end, length, out int nextDistance);
                if (nextLength > length)
                {
                    _symbols.AddLiteral(_data[position++]);
                    (length, distance, isKnown) = (nextLength, nextDistance, true);
                    continue;
                }

                added = 2;
            }

            _symbols.AddMatch(length, distance);
            Add(position + added, position + length, end);
            position += length;
        }

        return _blocks.TryWrite(ref writer, _symbols, _data.AsSpan(blockStart, end - blockStart), isLast: true);
    }

    private int Find(int position, int end, int toBeat, out int distance)
    {
        distance = 0;
        return end - position < DeflateAlphabet.MinMatch ? 0 : _finder.AddAndFind(_data, position, end, toBeat, out distance);
    }

    private void Add(int from, int to, int end)
    {
        int last = Math.Min(to, end - DeflateAlphabet.MinMatch + 1);
        for (int position = from; position < last; position++)
        {
            _finder.Add(_data, position);
        }
    }
}
