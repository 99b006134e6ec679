#if NET
namespace Qcow2.Engine.Codecs;

/// <summary>
/// Raw deflate by .NET's zlib. Holds nothing between two clusters, because .NET 8 to 10 export no way to start a stream again.
/// </summary>
internal sealed unsafe class NativeDeflateEncoder(int level, int windowBits = DeflateEncoder.WindowBits) : ClusterEncoder
{
    // As QEMU has it: 2^15 symbols a block.
    private const int MemoryLevel = 9;

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        Span<byte> room = Room(cluster, compressed);
        length = 0;
        NativeZlib.Stream stream = default;
        try
        {
            if (NativeZlib.DeflateInit(&stream, level, -windowBits, MemoryLevel) != NativeZlib.Ok)
            {
                throw new InsufficientMemoryException("There is no memory for a deflate encoder.");
            }

            fixed (byte* source = cluster)
            fixed (byte* destination = room)
            {
                stream.NextIn = source;
                stream.AvailableIn = (uint)cluster.Length;
                stream.NextOut = destination;
                stream.AvailableOut = (uint)room.Length;
                if (NativeZlib.Deflate(&stream, NativeZlib.Finish) != NativeZlib.StreamEnd)
                {
                    return false;
                }
            }

            length = room.Length - (int)stream.AvailableOut;
            return true;
        }
        finally
        {
            if (stream.State != 0)
            {
                NativeZlib.DeflateEnd(&stream);
            }
        }
    }

    public override void Dispose()
    {
        // There is nothing.
    }
}
#endif
