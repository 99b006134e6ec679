namespace Qcow2.Engine.Codecs;

/// <summary>Turns the compressed data of a cluster into the cluster. Safe to use from many threads at once.</summary>
/// <remarks>
/// The compressed length that an L2 entry gives is an upper bound, so what follows the end of the stream is ignored;
/// work stops when the cluster is full, whatever the stream still holds.
/// </remarks>
internal abstract class ClusterDecoder
{
    /// <summary>Fills a cluster.</summary>
    /// <param name="compressed">The compressed data, from its first byte; may be followed by other bytes.</param>
    /// <param name="count">Bytes of <paramref name="compressed"/> that count.</param>
    /// <param name="cluster">Filled whole.</param>
    /// <returns>False if the data is damaged or ends before the cluster is full.</returns>
    internal abstract bool TryDecode(byte[] compressed, int count, Span<byte> cluster);
}
