using System.IO.Compression;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class DeflateEncoderTests : DeflateEncoderContract
{
    private protected override ClusterEncoder Create(int level) => new DeflateEncoder(level);

    [Fact]
    public void Whole_window_is_used()
    {
        using var encoder = new DeflateEncoder(6);
        byte[] stream = Encode(encoder, ClusterContents.Periodic(65_536, ClusterContents.Window))!;

        var reader = new DeflateReader(stream);
        reader.ReadAll();
        Assert.Equal(ClusterContents.Window, reader.MaxDistance);
        Assert.InRange(stream.Length, ClusterContents.Window, ClusterContents.Window + 600);
    }

    [Fact]
    public void Each_kind_of_block_is_written_where_it_is_the_shortest()
    {
        using var encoder = new DeflateEncoder(6);

        Assert.Equal([0, 1, 0], BlockTypes(encoder, new byte[512]));
        Assert.Equal([0, 0, 1], BlockTypes(encoder, ClusterContents.Create("few values", 4096)));

        // More random bytes than a stored block holds.
        byte[] mixed = new byte[400_000];
        TestData.Random(200_000).CopyTo(mixed, 0);
        int[] types = BlockTypes(encoder, mixed);
        Assert.InRange(types[0], 4, 16);
        Assert.InRange(types[1] + types[2], 1, 6);
    }

    /// <summary>Against the level that .NET takes for its best, with a window eight times as large.</summary>
    [Fact]
    public void Programs_become_nearly_as_small_as_with_a_large_window()
    {
        byte[] program = File.ReadAllBytes(typeof(VirtualDisk).Assembly.Location);
        using var encoder = new DeflateEncoder(6);
        long ours = 0;
        long large = 0;
        for (int i = 0; i + 4096 <= program.Length; i += 4096)
        {
            byte[] cluster = program[i..(i + 4096)];
            using var output = new MemoryStream();
            using (var deflater = new DeflateStream(output, CompressionLevel.SmallestSize))
            {
                deflater.Write(cluster);
            }

            ours += Encode(encoder, cluster)?.Length ?? cluster.Length;
            large += Math.Min(output.ToArray().Length, cluster.Length);
        }

        Assert.InRange(ours, 1, large * 101 / 100);
    }

    /// <summary>A file system's blocks come from many files, so that a code for all of them fits none.</summary>
    [Fact]
    public void Data_that_changes_gets_another_code()
    {
        byte[] one = [.. TestData.Random(32_768).Select(value => (byte)(value % 40))];
        byte[] other = [.. one.Select(value => (byte)(value + 40))];
        using var encoder = new DeflateEncoder(6);

        Assert.Equal([0, 0, 1], BlockTypes(encoder, one));
        Assert.Equal([0, 0, 1], BlockTypes(encoder, other));
        Assert.Equal([0, 0, 2], BlockTypes(encoder, [.. one, .. other]));
    }

    [Fact]
    public void Data_that_begins_with_noise_is_compressed_behind_it()
    {
        byte[] text = ClusterContents.Create("text", 32_768);
        foreach (int level in Levels)
        {
            using var encoder = new DeflateEncoder(level);
            int alone = Encode(encoder, text)!.Length;

            Assert.InRange(Encode(encoder, [.. TestData.Random(32_768), .. text])!.Length, 32_768 + alone, 32_768 + alone + 400);
        }
    }

#if NET
    [Fact]
    public void No_memory_is_taken_for_a_cluster()
    {
        byte[][] clusters = [.. ClusterContents.Names.Select(name => ClusterContents.Create(name, 65_536))];
        byte[] compressed = new byte[65_536];
        foreach (int level in Levels)
        {
            using var encoder = new DeflateEncoder(level);
            EncodeAll(encoder); // Tables that all encoders share are made by whoever needs one first, which may be here.
            long before = GC.GetAllocatedBytesForCurrentThread();
            EncodeAll(encoder);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        void EncodeAll(DeflateEncoder encoder)
        {
            foreach (byte[] cluster in clusters)
            {
                encoder.TryEncode(cluster, compressed, out _);
            }
        }
    }
#endif

    [Fact]
    public void Threads_make_the_same_of_a_cluster()
    {
        byte[][] clusters = [.. ClusterContents.Names.Select(name => ClusterContents.Create(name, 20_000))];
        using var pool = new ClusterEncoderPool(() => new DeflateEncoder(6));
        byte[]?[] expected = [.. clusters.Select(Encode)];
        Parallel.For(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => Assert.Equal(expected[i % clusters.Length], Encode(clusters[i % clusters.Length])));

        byte[]? Encode(byte[] cluster)
        {
            byte[] compressed = new byte[cluster.Length];
            return pool.TryEncode(cluster, compressed, out int length) ? compressed.AsSpan(0, length).ToArray() : null;
        }
    }

    private static int[] BlockTypes(DeflateEncoder encoder, byte[] cluster)
    {
        var reader = new DeflateReader(Encode(encoder, cluster)!);
        reader.ReadAll();
        return reader.BlockTypes;
    }
}
