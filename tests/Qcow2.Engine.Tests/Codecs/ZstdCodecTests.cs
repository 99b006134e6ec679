using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class ZstdEncoderTests : ClusterEncoderContract
{
    private protected override CompressionType Type => CompressionType.Zstd;

    private protected override int MaxLevel => 22;

    private protected override int[] Levels => [1, 3, 6, 13, 22];

    private protected override ClusterEncoder Create(int level) => ZstdEncoder.Create(level);

    [Fact]
    public void Frame_says_its_size_and_has_no_checksum()
    {
        using ClusterEncoder encoder = Create(3);
        byte[] stream = Encode(encoder, ClusterContents.Create("text", 65_536))!;

        Assert.Equal([0x28, 0xb5, 0x2f, 0xfd], stream[..4]); // Magic number
        Assert.Equal(0x60, stream[4]); // Single segment, content size of two bytes, which counts from 256
        Assert.Equal([0x00, 0xff], stream[5..7]);
    }

    [Fact]
    public void Disposed_encoder_says_so()
    {
        ClusterEncoder encoder = Create(3);
        encoder.Dispose();
        encoder.Dispose();

        Assert.Throws<ObjectDisposedException>(() => encoder.TryEncode(new byte[512], new byte[512], out _));
    }
}

public sealed class ZstdDecoderTests : ClusterDecoderContract
{
    private protected override ClusterDecoder Create() => ClusterCodecs.Decoder(CompressionType.Zstd);

    private protected override byte[] Compress(byte[] cluster)
    {
        byte[] compressed = new byte[cluster.Length];
        using ClusterEncoder encoder = ClusterCodecs.Encoder(CompressionType.Zstd);
        Assert.True(encoder.TryEncode(cluster, compressed, out int length));
        return compressed[..length];
    }

    /// <summary>RFC 8878: a frame may follow another, and a skippable one may stand between.</summary>
    [Fact]
    public void Several_frames_make_a_cluster()
    {
        byte[] cluster = ClusterContents.Create("text", 65_536);
        byte[] skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        byte[] frames = [.. Compress(cluster[..20_000]), .. skippable, .. Compress(cluster[20_000..]), 9, 9, 9];
        byte[] back = new byte[cluster.Length];

        Assert.True(Create().TryDecode(frames, frames.Length, back));
        Assert.Equal(cluster, back);
    }

    [Fact]
    public void Frame_without_a_size_is_decoded()
    {
        byte[] cluster = ClusterContents.Create("program", 65_536);
        using var output = new MemoryStream();
        using (var compressor = new ZstdSharp.CompressionStream(output, leaveOpen: true))
        {
            compressor.Write(cluster);
            compressor.Flush();
        }

        byte[] back = new byte[cluster.Length];
        Assert.Equal(0, output.ToArray()[4] & 0xe0); // No single segment, no content size
        Assert.True(Create().TryDecode(output.ToArray(), (int)output.Length, back));
        Assert.Equal(cluster, back);
    }

    [Fact]
    public void Frame_of_more_than_a_cluster_is_damaged()
    {
        byte[] frame = Compress(ClusterContents.Create("text", 70_000));

        Assert.False(Create().TryDecode(frame, frame.Length, new byte[65_536]));
    }
}
