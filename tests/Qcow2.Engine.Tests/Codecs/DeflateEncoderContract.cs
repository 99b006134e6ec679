using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>What every encoder of deflate does: readers with a window of 4 KiB understand it.</summary>
public abstract class DeflateEncoderContract : ClusterEncoderContract
{
    private protected override CompressionType Type => CompressionType.Deflate;

    private protected override int MaxLevel => 9;

    private protected override int[] Levels => [1, 2, 3, 4, 5, 6, 7, 8, 9];

    private protected override void AssertStream(byte[] stream, byte[] cluster)
    {
        var reader = new DeflateReader(stream);
        Assert.True(cluster.AsSpan().SequenceEqual(reader.ReadAll()));
        Assert.InRange(reader.MaxDistance, 0, ClusterContents.Window);
    }

    [Theory]
    [MemberData(nameof(ContentNames))]
    public void Reader_with_a_window_of_4_KiB_reads_byte_by_byte(string name)
    {
        byte[] cluster = ClusterContents.Create(name, 40_000);
        foreach (int level in Levels)
        {
            using ClusterEncoder encoder = Create(level);
            byte[]? stream = Encode(encoder, cluster);
            if (stream is not null)
            {
                Assert.Equal(cluster, StreamingInflater.Inflate(stream, windowBits: 12));
            }
        }
    }

    [Fact]
    public void What_comes_again_beyond_the_window_is_not_used()
    {
        using ClusterEncoder encoder = Create(MaxLevel);

        // How often each byte occurs saves a little.
        Assert.InRange(Encode(encoder, ClusterContents.Periodic(65_536, ClusterContents.Window + 1))?.Length ?? 65_536, 60_000, 65_536);
        Assert.InRange(Encode(encoder, ClusterContents.Periodic(65_536, ClusterContents.Window - 262))!.Length, 1, 5000);
    }
}
