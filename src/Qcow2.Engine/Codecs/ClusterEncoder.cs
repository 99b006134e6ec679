namespace Qcow2.Engine.Codecs;

/// <summary>Compresses clusters, each on its own. One thread at a time uses an encoder.</summary>
/// <remarks>What a cluster becomes depends on the cluster and the level only, not on what was compressed before it.</remarks>
internal abstract class ClusterEncoder : IDisposable
{
    /// <summary>Compresses a cluster, if that makes it smaller.</summary>
    /// <param name="cluster">The cluster, whole.</param>
    /// <param name="compressed">
    /// Where the compressed data goes: a byte less than the cluster has room for all that is wanted. In a shorter one, what does not fit
    /// or only just fits is given up. Undefined where the result is false.
    /// </param>
    /// <param name="length">Bytes of compressed data.</param>
    /// <returns>False if it would not be smaller than the cluster.</returns>
    internal abstract bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>The part of a buffer that compressed data may fill: less than the cluster.</summary>
    private protected static Span<byte> Room(ReadOnlySpan<byte> cluster, Span<byte> compressed)
        => compressed.Slice(0, Math.Max(0, Math.Min(compressed.Length, cluster.Length - 1)));
}
