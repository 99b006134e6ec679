using System.IO.Compression;

namespace Qcow2.Engine.Codecs;

internal sealed class StreamDeflateEncoder : ClusterEncoder
{
    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        Span<byte> room = Room(cluster, compressed);
        using var output = new MemoryStream();
        using (var deflater = new DeflateStream(output, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflater.Write(cluster.ToArray(), 0, cluster.Length);
        }

        length = (int)output.Length;
        bool fits = length <= room.Length;
        if (fits)
        {
            output.GetBuffer().AsSpan(0, length).CopyTo(room);
        }

        return fits;
    }

    public override void Dispose()
    {
    }
}
