using System.Buffers.Binary;

namespace Qcow2.Engine.Codecs;

/// <summary>Writes zlib streams (RFC 1950), each on its own. Safe to use from many threads.</summary>
/// <param name="level">How hard it tries, 1 to 9.</param>
internal sealed class ZlibEncoder(int level) : IDisposable
{
    private const int HeaderLength = 2;
    private const int TrailerLength = 4;
    private const int MaxStored = ushort.MaxValue;
    private const int StoredHeaderLength = 5;

    /// <summary>Deflate with a window of 32 KiB.</summary>
    private const byte Method = 0x78;

    private readonly ClusterEncoderPool _pool = new(() => new DeflateEncoder(level, DeflateEncoder.MaxWindowBits));

    /// <summary>The most bytes that so many become: what cannot be compressed gets longer.</summary>
    internal static int MaxLength(int length) => HeaderLength + length + (StoredBlocks(length) * StoredHeaderLength) + TrailerLength;

    /// <summary>Compresses some bytes, at least one.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="destination">Where they go; it has room for <see cref="MaxLength"/>.</param>
    /// <returns>Bytes of the stream.</returns>
    internal int Encode(ReadOnlySpan<byte> data, Span<byte> destination)
    {
        Span<byte> body = destination.Slice(HeaderLength);
        bool isDeflated = _pool.TryEncode(data, body, out int length);
        if (!isDeflated)
        {
            length = Store(data, body);
        }

        WriteHeader(destination, isDeflated ? level : 0);
        BinaryPrimitives.WriteUInt32BigEndian(body.Slice(length), Adler32.Of(data));
        return HeaderLength + length + TrailerLength;
    }

    public void Dispose() => _pool.Dispose();

    private static int StoredBlocks(int length) => (length + MaxStored - 1) / MaxStored;

    private static void WriteHeader(Span<byte> destination, int level)
    {
        destination[0] = Method;
        destination[1] = level switch { < 2 => 0x01, < 6 => 0x5e, 6 => 0x9c, _ => 0xda }; // How hard it tried, and a sum over both bytes.
    }

    /// <summary>Writes bytes as they are.</summary>
    private static int Store(ReadOnlySpan<byte> data, Span<byte> destination)
    {
        int written = 0;
        while (!data.IsEmpty)
        {
            int count = Math.Min(data.Length, MaxStored);
            destination[written] = (byte)(count == data.Length ? 1 : 0);
            BinaryPrimitives.WriteUInt16LittleEndian(destination.Slice(written + 1), (ushort)count);
            BinaryPrimitives.WriteUInt16LittleEndian(destination.Slice(written + 3), (ushort)~count);
            data.Slice(0, count).CopyTo(destination.Slice(written + StoredHeaderLength));
            written += StoredHeaderLength + count;
            data = data.Slice(count);
        }

        return written;
    }
}
