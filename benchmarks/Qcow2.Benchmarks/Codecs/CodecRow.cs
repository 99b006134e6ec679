using Qcow2.Engine.Codecs;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>One codec at work on the sample, cluster after cluster on one thread.</summary>
internal abstract class CodecRow(string name)
{
    internal string Name { get; } = name;

    /// <summary>Clusters that it goes through.</summary>
    internal abstract int Count { get; }

    /// <summary>Bytes of all these clusters.</summary>
    internal long Bytes => (long)Count * CodecSample.ClusterSize;

    /// <summary>What the sample takes compressed; null where that says nothing of this codec.</summary>
    internal abstract long? CompressedBytes { get; }

    /// <summary>Fails unless the codec does what it should.</summary>
    internal abstract void Verify();

    /// <summary>Does one cluster.</summary>
    internal abstract void Run(int cluster);
}

/// <summary>Compresses each cluster. One that gets no smaller is tried all the same, and counts with its own size.</summary>
/// <param name="name">The row's name.</param>
/// <param name="encoder">What is measured.</param>
/// <param name="decoder">Reads what it made.</param>
/// <param name="clusters">The sample.</param>
internal sealed class EncodingRow(string name, ClusterEncoder encoder, ClusterDecoder decoder, byte[][] clusters) : CodecRow(name)
{
    private readonly byte[] _compressed = new byte[CodecSample.ClusterSize];
    private long? _compressedBytes;

    internal override int Count => clusters.Length;

    internal override long? CompressedBytes => _compressedBytes;

    internal override void Verify()
    {
        byte[] back = new byte[CodecSample.ClusterSize];
        _compressedBytes = 0;
        foreach (byte[] cluster in clusters)
        {
            bool isSmaller = encoder.TryEncode(cluster, _compressed, out int length);
            _compressedBytes += isSmaller ? length : cluster.Length;
            if (isSmaller && !(decoder.TryDecode(_compressed, length, back) && cluster.AsSpan().SequenceEqual(back)))
            {
                throw new InvalidDataException($"{Name}: what was compressed does not come back.");
            }
        }
    }

    internal override void Run(int cluster) => encoder.TryEncode(clusters[cluster], _compressed, out _);
}

/// <summary>Decompresses each cluster of the sample that can be compressed.</summary>
/// <param name="name">The row's name.</param>
/// <param name="decoder">What is measured.</param>
/// <param name="streams">What a writer made of the sample.</param>
internal sealed class DecodingRow(string name, ClusterDecoder decoder, CompressedSample streams) : CodecRow(name)
{
    private readonly byte[] _cluster = new byte[CodecSample.ClusterSize];

    internal override int Count => streams.Clusters.Length;

    internal override long? CompressedBytes => null;

    internal override void Verify()
    {
        for (int i = 0; i < streams.Streams.Length; i++)
        {
            if (!decoder.TryDecode(streams.Streams[i], streams.Streams[i].Length, _cluster) || !_cluster.AsSpan().SequenceEqual(streams.Clusters[i]))
            {
                throw new InvalidDataException($"{Name}: a cluster does not come back.");
            }
        }
    }

    internal override void Run(int cluster) => decoder.TryDecode(streams.Streams[cluster], streams.Streams[cluster].Length, _cluster);
}

/// <summary>The clusters of a sample that get smaller, and what they become.</summary>
internal sealed record CompressedSample(byte[][] Clusters, byte[][] Streams)
{
    internal static CompressedSample Of(byte[][] clusters, ClusterEncoder encoder)
    {
        byte[] compressed = new byte[CodecSample.ClusterSize];
        var kept = new List<byte[]>();
        var streams = new List<byte[]>();
        foreach (byte[] cluster in clusters)
        {
            if (encoder.TryEncode(cluster, compressed, out int length))
            {
                kept.Add(cluster);
                streams.Add(compressed[..length]);
            }
        }

        return new CompressedSample([.. kept], [.. streams]);
    }
}
