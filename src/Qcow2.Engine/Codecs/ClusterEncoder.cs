using System.IO.Compression;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Codecs;

internal abstract class ClusterEncoder : IDisposable
{
    internal static ClusterEncoder For(CompressionType type, int? level = null) => new Stub(type);
    internal abstract bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length);
    public abstract void Dispose();
    internal static bool TryEncode(CompressionType type, byte[] cluster, int clusterSize, byte[] compressed, out int length)
    { using var e = For(type); return e.TryEncode(cluster.AsSpan(0, clusterSize), compressed, out length); }
    private sealed class Stub(CompressionType type) : ClusterEncoder
    {
        public override void Dispose() { }
        internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
        {
            if (type == CompressionType.Zstd)
            {
                using var compressor = new ZstdSharp.Compressor(3);
                return compressor.TryWrap(cluster, compressed.Slice(0, Math.Min(compressed.Length, cluster.Length - 1)), out length);
            }
            byte[] c = cluster.ToArray(); byte[] o = new byte[Math.Min(compressed.Length, c.Length - 1)];
            using var output = new MemoryStream(o, 0, o.Length, writable: true);
            try { using (var d = new DeflateStream(output, CompressionLevel.Optimal, leaveOpen: true)) { d.Write(c, 0, c.Length); } length = (int)output.Position; o.AsSpan(0, length).CopyTo(compressed); return true; }
            catch (NotSupportedException) { length = 0; return false; }
        }
    }
}
