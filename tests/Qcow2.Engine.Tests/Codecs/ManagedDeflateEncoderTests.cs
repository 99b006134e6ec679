using System.IO.Compression;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class ManagedDeflateEncoderTests : DeflateEncoderContract
{
    private protected override ClusterEncoder Create(int level) => new ManagedDeflateEncoder(level);

    [Fact]
    public void Whole_window_is_used()
    {
        using var encoder = new ManagedDeflateEncoder(6);
        byte[] stream = Encode(encoder, ClusterContents.Periodic(65_536, ClusterContents.Window))!;

        var reader = new DeflateReader(stream);
        reader.ReadAll();
        Assert.Equal(ClusterContents.Window, reader.MaxDistance);
        Assert.InRange(stream.Length, ClusterContents.Window, ClusterContents.Window + 600);
    }

    [Fact]
    public void Each_kind_of_block_is_written_where_it_is_the_shortest()
    {
        using var encoder = new ManagedDeflateEncoder(6);

        Assert.Equal([0, 1, 0], BlockTypes(encoder, new byte[512]));
        Assert.Equal([0, 0, 1], BlockTypes(encoder, ClusterContents.Create("few values", 4096)));

        // More random bytes than a stored block holds.
        byte[] mixed = new byte[400_000];
        TestData.Random(200_000).CopyTo(mixed, 0);
        int[] types = BlockTypes(encoder, mixed);
        Assert.InRange(types[0], 4, 16);
        Assert.InRange(types[1] + types[2], 1, 2);
    }

    /// <summary>Against the level that .NET takes for its best, with a window eight times as large.</summary>
    [Fact]
    public void Programs_become_nearly_as_small_as_with_a_large_window()
    {
        byte[] program = File.ReadAllBytes(typeof(VirtualDisk).Assembly.Location);
        using var encoder = new ManagedDeflateEncoder(6);
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

    private static int[] BlockTypes(ManagedDeflateEncoder encoder, byte[] cluster)
    {
        var reader = new DeflateReader(Encode(encoder, cluster)!);
        reader.ReadAll();
        return reader.BlockTypes;
    }
}
