using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>What every encoder does.</summary>
public abstract class ClusterEncoderContract
{
    public static TheoryData<string> ContentNames => [.. ClusterContents.Names];

    private protected abstract CompressionType Type { get; }

    private protected abstract int MaxLevel { get; }

    /// <summary>Levels that differ in how they work.</summary>
    private protected abstract int[] Levels { get; }

    private protected abstract ClusterEncoder Create(int level);

    /// <summary>Asserts what else is to be said of a stream.</summary>
    private protected virtual void AssertStream(byte[] stream, byte[] cluster)
    {
    }

    [Theory]
    [MemberData(nameof(ContentNames))]
    public void Cluster_comes_back_at_every_level_and_size(string name)
    {
        foreach (int size in new[] { 512, 4096, 65_536 })
        {
            byte[] cluster = ClusterContents.Create(name, size);
            foreach (int level in size == 512 ? Enumerable.Range(1, MaxLevel) : Levels)
            {
                using ClusterEncoder encoder = Create(level);
                AssertComesBack(encoder, cluster);
            }
        }
    }

    [Theory]
    [InlineData("text")]
    [InlineData("program")]
    [InlineData("zeros")]
    [InlineData("random, then zeros")]
    public void Largest_cluster_comes_back(string name)
    {
        using ClusterEncoder encoder = Create(CompressionLevels.Default(Type));
        Assert.True(AssertComesBack(encoder, ClusterContents.Create(name, 2 << 20)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(257)]
    [InlineData(258)]
    [InlineData(4095)]
    [InlineData(4097)]
    [InlineData(65_535)]
    public void Any_length_comes_back(int length)
    {
        using ClusterEncoder encoder = Create(CompressionLevels.Default(Type));
        foreach (string name in ClusterContents.Names)
        {
            AssertComesBack(encoder, ClusterContents.Create(name, length));
        }
    }

    [Fact]
    public void Random_bytes_and_nothing_are_not_made_smaller()
    {
        using ClusterEncoder encoder = Create(MaxLevel);
        byte[] compressed = new byte[100_000];

        Assert.False(encoder.TryEncode(TestData.Random(65_536), compressed, out _));
        Assert.False(encoder.TryEncode([], compressed, out _));
    }

    [Fact]
    public void What_does_not_fit_is_given_up()
    {
        using ClusterEncoder encoder = Create(CompressionLevels.Default(Type));
        byte[] cluster = ClusterContents.Create("program", 65_536);
        byte[] whole = Encode(encoder, cluster)!;
        foreach (int room in new[] { 0, 1, 1000, whole.Length / 2, whole.Length - 1 })
        {
            Assert.False(encoder.TryEncode(cluster, new byte[room], out _));
        }

        // And that leaves no trace.
        Assert.Equal(whole, Encode(encoder, cluster));
    }

    [Fact]
    public void Nothing_is_written_past_what_is_given()
    {
        using ClusterEncoder encoder = Create(CompressionLevels.Default(Type));
        byte[] buffer = new byte[70_000];
        foreach (string name in ClusterContents.Names)
        {
            buffer.AsSpan().Fill(0xa5);
            encoder.TryEncode(ClusterContents.Create(name, 4096), buffer.AsSpan(100, 4096), out _);

            Assert.Equal(-1, buffer.AsSpan(0, 100).IndexOfAnyExcept((byte)0xa5));
            Assert.Equal(-1, buffer.AsSpan(100 + 4095).IndexOfAnyExcept((byte)0xa5));
        }
    }

    [Fact]
    public void Bytes_do_not_depend_on_what_was_encoded_before()
    {
        foreach (int level in new[] { 1, CompressionLevels.Default(Type), MaxLevel })
        {
            using ClusterEncoder used = Create(level);
            foreach (string name in ClusterContents.Names.Concat(ClusterContents.Names.Reverse()))
            {
                int size = name.Length % 2 == 0 ? 65_536 : 32_768;
                byte[] cluster = ClusterContents.Create(name, size);
                using ClusterEncoder fresh = Create(level);

                Assert.Equal(Encode(fresh, cluster), Encode(used, cluster));
            }
        }
    }

    [Fact]
    public void Highest_level_makes_programs_and_text_smaller_than_the_lowest()
    {
        using ClusterEncoder fast = Create(1);
        using ClusterEncoder small = Create(MaxLevel);
        foreach (string name in new[] { "text", "program" })
        {
            byte[] cluster = ClusterContents.Create(name, 65_536);
            Assert.InRange(Encode(small, cluster)!.Length, 1, Encode(fast, cluster)!.Length - 1);
        }
    }

    [QemuFact]
    public void Qemu_reads_what_is_written()
    {
        byte[][] clusters = [.. ClusterContents.Names.Select(name => ClusterContents.Create(name, 65_536))];
        for (int level = 1; level <= MaxLevel; level += MaxLevel - 1)
        {
            using ClusterEncoder encoder = Create(level);
            (byte[] Cluster, byte[]? Stream)[] pairs = [.. clusters.Select(cluster => (cluster, Encode(encoder, cluster)))];
            pairs = [.. pairs.Where(pair => pair.Stream is not null)];
            BuiltImage image = new ImageBuilder
            {
                ClusterBits = 16,
                CompressionType = (byte)Type,
                CompressedStreams = [.. pairs.Select(pair => pair.Stream!)],
                CompressedContents = [.. pairs.Select(pair => pair.Cluster)],
            }.Build();
            using var folder = new TempFolder();
            File.WriteAllBytes(folder.File("ours.qcow2"), image.Bytes);
            File.WriteAllBytes(folder.File("guest.raw"), image.Guest);

            QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", folder.File("ours.qcow2"), folder.File("guest.raw"));
            QemuImg.Run("check", folder.File("ours.qcow2"));
        }
    }

    private protected static byte[]? Encode(ClusterEncoder encoder, byte[] cluster)
    {
        byte[] compressed = new byte[cluster.Length];
        return encoder.TryEncode(cluster, compressed, out int length) ? compressed[..length] : null;
    }

    /// <summary>Asserts that a cluster comes back if it was compressed, which is the result.</summary>
    private bool AssertComesBack(ClusterEncoder encoder, byte[] cluster)
    {
        byte[]? stream = Encode(encoder, cluster);
        if (stream is null)
        {
            return false;
        }

        Assert.InRange(stream.Length, 1, cluster.Length - 1);
        byte[] back = new byte[cluster.Length];
        Assert.True(ClusterCodecs.Decoder(Type).TryDecode(stream, stream.Length, back));
        Assert.True(cluster.AsSpan().SequenceEqual(back));
        AssertStream(stream, cluster);
        return true;
    }
}
