namespace Qcow2.Engine.Codecs;

/// <summary>Writes raw deflate (RFC 1951): the same bytes for the same data and level on every framework and machine.</summary>
internal sealed unsafe class DeflateEncoder : ClusterEncoder
{
    /// <summary>
    /// Distances in QCOW2 images are at most 4096 bytes, as in what QEMU writes. Its readers take clusters in one piece and accept any distance;
    /// readers that inflate piece by piece with a window of QEMU's size don't.
    /// </summary>
    internal const int WindowBits = 12;

    /// <summary>The largest window there is: what zlib streams have.</summary>
    internal const int MaxWindowBits = 15;

    // As many chunks are parsed before they become blocks.
    private const int MaxChunks = 16;

    private readonly DeflateParser _parser;
    private readonly DeflateChunk[] _chunks = new DeflateChunk[MaxChunks];
    private readonly DeflateBlockWriter _blocks = new();
    private readonly DeflateBlockSplitter _splitter = new();
    private byte[] _data = [];
    private byte[] _output = [];

    /// <param name="level">How hard it tries, 1 to 9.</param>
    /// <param name="windowBits">How far back a match may be: this power of two, in bytes.</param>
    internal DeflateEncoder(int level, int windowBits = WindowBits)
        : this(DeflateEffort.Of(level), windowBits)
    {
    }

    /// <param name="effort">How hard it tries.</param>
    /// <param name="windowBits">How far back a match may be: this power of two, in bytes.</param>
    internal DeflateEncoder(DeflateEffort effort, int windowBits = WindowBits)
    {
        _parser = new DeflateParser(effort, windowBits);
        for (int i = 0; i < MaxChunks; i++)
        {
            _chunks[i] = new DeflateChunk();
        }
    }

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        Span<byte> room = Room(cluster, compressed);
        if (_data.Length < cluster.Length + DeflateMatches.Slack)
        {
            _data = new byte[cluster.Length + DeflateMatches.Slack];
        }

        if (_output.Length < room.Length + DeflateBitWriter.Slack)
        {
            _output = new byte[room.Length + DeflateBitWriter.Slack];
        }

        // Copies have room behind them, so that neither reading nor writing several bytes at once needs to look for the end.
        cluster.CopyTo(_data);
        _data.AsSpan(cluster.Length, DeflateMatches.Slack).Clear();
        _parser.Reset(cluster.Length);
        fixed (byte* data = _data, output = _output)
        {
            var writer = new DeflateBitWriter(output, output + room.Length);
            if (!TryWrite(data, cluster.Length, ref writer))
            {
                length = 0;
                return false;
            }

            length = (int)(writer.Finish() - output);
        }

        _output.AsSpan(0, length).CopyTo(room);
        return true;
    }

    public override void Dispose()
    {
        // There is only memory.
    }

    private bool TryWrite(byte* data, int end, ref DeflateBitWriter writer)
    {
        int position = 0;
        do
        {
            int count = 0;
            while (count < MaxChunks && (position < end || count == 0))
            {
                position = _parser.Parse(data, position, end, _chunks[count++]);
            }

            for (int first = 0; first < count;)
            {
                int next = _splitter.EndOfBlock(_chunks, first, count);
                if (!_blocks.TryWrite(ref writer, data, _splitter.Block, _chunks.AsSpan(first, next - first), isLast: next == count && position == end))
                {
                    return false;
                }

                first = next;
            }
        }
        while (position < end);

        return true;
    }
}
