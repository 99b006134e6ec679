using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>What every decoder does, whatever it is given.</summary>
public abstract class ClusterDecoderContract
{
    private protected abstract ClusterDecoder Create();

    private protected abstract byte[] Compress(byte[] cluster);

    [Fact]
    public void What_follows_the_stream_is_ignored()
    {
        byte[] cluster = ClusterContents.Create("program", 65_536);
        byte[] stream = Compress(cluster);
        foreach (byte[] behind in new[] { new byte[511], TestData.Random(511), stream })
        {
            byte[] back = new byte[cluster.Length];
            byte[] all = [.. stream, .. behind];
            Assert.True(Create().TryDecode(all, all.Length, back));
            Assert.Equal(cluster, back);
        }
    }

    [Fact]
    public void Cut_and_short_streams_are_damaged()
    {
        byte[] cluster = ClusterContents.Create("program", 8192);
        byte[] stream = Compress(cluster);
        ClusterDecoder decoder = Create();

        // The end of the last block, which says nothing of the cluster, is at most two bytes.
        for (int count = 0; count < stream.Length - 2; count++)
        {
            Assert.False(decoder.TryDecode(stream, count, new byte[cluster.Length]));
        }

        Assert.False(decoder.TryDecode(stream, stream.Length, new byte[cluster.Length + 1]));
    }

    [Fact]
    public void Damaged_streams_do_no_harm_and_leave_the_decoder_sound()
    {
        byte[] cluster = ClusterContents.Create("program", 8192);
        byte[] stream = Compress(cluster);
        byte[] guarded = new byte[cluster.Length + 200];
        ClusterDecoder decoder = Create();
        var random = new Random(11);
        for (int round = 0; round < 2000; round++)
        {
            byte[] damaged = [.. stream];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
            {
                damaged[random.Next(round % 2 == 0 ? 64 : damaged.Length)] ^= (byte)(1 << random.Next(8));
            }

            guarded.AsSpan().Fill(0xa5);
            decoder.TryDecode(damaged, damaged.Length, guarded.AsSpan(100, cluster.Length));
            Assert.Equal(-1, guarded.AsSpan(0, 100).IndexOfAnyExcept((byte)0xa5));
            Assert.Equal(-1, guarded.AsSpan(100 + cluster.Length).IndexOfAnyExcept((byte)0xa5));
        }

        byte[] back = new byte[cluster.Length];
        Assert.True(decoder.TryDecode(stream, stream.Length, back));
        Assert.Equal(cluster, back);
    }

    [Fact]
    public void Noise_is_damaged()
    {
        ClusterDecoder decoder = Create();
        for (int seed = 0; seed < 300; seed++)
        {
            Assert.False(decoder.TryDecode(TestData.Random(4096, seed), 4096, new byte[1 << 20]));
        }
    }

    [Fact]
    public void Many_threads_share_a_decoder()
    {
        byte[][] clusters = [.. new[] { "program", "text", "few values", "zeros" }.Select(name => ClusterContents.Create(name, 65_536))];
        byte[][] streams = [.. clusters.Select(Compress)];
        ClusterDecoder decoder = Create();

        Parallel.For(0, 400, i =>
        {
            byte[] back = new byte[65_536];
            Assert.True(decoder.TryDecode(streams[i % 4], streams[i % 4].Length, back));
            Assert.True(clusters[i % 4].AsSpan().SequenceEqual(back));
        });
    }
}

/// <summary>What every decoder of deflate does.</summary>
public abstract class InflateDecoderContract : ClusterDecoderContract
{
    private protected override byte[] Compress(byte[] cluster) => Deflater.Deflate(cluster);

    [Fact]
    public void Stream_that_goes_on_fills_the_cluster()
    {
        byte[] longer = ClusterContents.Create("program", 70_000);
        byte[] stream = Compress(longer);
        byte[] back = new byte[65_536];

        Assert.True(Create().TryDecode(stream, stream.Length, back));
        Assert.Equal(longer[..65_536], back);
    }

    /// <summary>Other writers have windows of 32 KiB.</summary>
    [Fact]
    public void Distances_of_32_KiB_are_followed()
    {
        byte[] cluster = ClusterContents.Periodic(131_072, 32_000);
        byte[] stream = Compress(cluster);
        byte[] back = new byte[cluster.Length];

        Assert.InRange(stream.Length, 1, 40_000);
        Assert.True(Create().TryDecode(stream, stream.Length, back));
        Assert.Equal(cluster, back);
    }

    [Fact]
    public void Bad_block_type_and_bad_distance_are_damaged()
    {
        ClusterDecoder decoder = Create();

        Assert.False(decoder.TryDecode([0x07, 0, 0, 0], 4, new byte[512])); // Block type 3
        Assert.False(decoder.TryDecode([0x03, 0x02, 0, 0], 4, new byte[512])); // A match before the first byte
        Assert.False(decoder.TryDecode([0x01, 1, 0, 0, 0, 9], 6, new byte[1])); // A stored length and its complement that disagree
    }
}
