using System.IO.Compression;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Our verdict beside that of .NET's zlib, and the bytes beside its bytes.</summary>
public sealed class InflateJudgeTests : IDisposable
{
    private const int Guard = 64;

    private readonly ZlibJudge _judge = new();
    private readonly InflateDecoder _decoder = new();
    private byte[] _expected = [];
    private byte[] _output = [];

    public void Dispose() => _judge.Dispose();

    [Fact]
    public void Vectors_are_right_by_zlib_too()
    {
        foreach ((string name, byte[] stream, int length, byte[]? content) in InflateVectors.All)
        {
            Assert.True(content is not null == AssertSame(stream, length), name);
            AssertSame(stream, length + 1000);
            AssertSame([.. stream, .. new byte[64]], length);
        }
    }

    [Fact]
    public void What_zlib_writes_at_any_level_and_strategy_is_read()
    {
        foreach (string name in ClusterContents.Names)
        {
            byte[] cluster = ClusterContents.Create(name, 20_000);
            foreach (ZLibCompressionStrategy strategy in Enum.GetValues<ZLibCompressionStrategy>())
            {
                foreach (int level in (int[])[0, 1, 4, 6, 9])
                {
                    byte[] stream = Deflate(cluster, level, strategy);
                    Assert.True(AssertSame(stream, cluster.Length));
                    Assert.True(cluster.AsSpan().SequenceEqual(_output.AsSpan(Guard, cluster.Length)));
                    AssertSame(stream, cluster.Length + 1);
                    AssertSame(stream[..^1], cluster.Length);
                    AssertSame([.. stream, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], cluster.Length);
                }
            }
        }
    }

    /// <summary>Streams of zlib, of our encoder and of the generator, damaged in every way. The long form: QCOW2_FUZZ_ROUNDS streams.</summary>
    [Fact]
    public void Damaged_streams_have_zlibs_verdict()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 15_000;
        int seed = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_SEED"), out int given) ? given : 1;
        var random = new Random(seed);
        (byte[] Stream, int Length)[] sound = [];
        int accepted = 0;
        for (int round = 0; round < rounds; round++)
        {
            if (round % 10_000 == 0)
            {
                sound = Streams(random);
            }

            (byte[] stream, int length) = sound[random.Next(sound.Length)];
            byte[] damaged = Damage(stream, sound[random.Next(sound.Length)].Stream, random);
            int wanted = random.Next(8) switch { 0 => random.Next(1, length + 1), 1 => length + random.Next(1, 400), 2 => 9000, _ => length };
            try
            {
                accepted += AssertSame(damaged, wanted) ? 1 : 0;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}, round {round}, {wanted} bytes of {Convert.ToHexString(damaged)}", e);
            }
        }

        // Neither all nor nothing: the fuzzing goes deep.
        Assert.InRange(accepted, rounds / 50, rounds - (rounds / 10));
    }

    /// <summary>Whether both fill the output.</summary>
    private bool AssertSame(byte[] stream, int length)
    {
        if (_expected.Length < length)
        {
            _expected = new byte[length];
        }

        if (_output.Length < length + (2 * Guard))
        {
            _output = new byte[length + (2 * Guard)];
        }

        Span<byte> guarded = _output.AsSpan(0, length + (2 * Guard));
        guarded.Fill(0xa5);
        bool isSound = _judge.TryFill(stream, _expected.AsSpan(0, length));
        Assert.Equal(isSound, _decoder.TryDecode(stream, stream.Length, guarded.Slice(Guard, length)));
        Assert.True(!isSound || _expected.AsSpan(0, length).SequenceEqual(guarded.Slice(Guard, length)), "Other bytes than zlib's.");
        Assert.False(guarded.Slice(0, Guard).ContainsAnyExcept((byte)0xa5) || guarded.Slice(Guard + length).ContainsAnyExcept((byte)0xa5), "Written beside the output.");
        return isSound;
    }

    private static (byte[] Stream, int Length)[] Streams(Random random)
    {
        var streams = new List<(byte[], int)>();
        for (int i = 0; i < 40; i++)
        {
            (byte[] stream, byte[] content) = new DeflateGenerator(random).Create(random.Next(2000));
            streams.Add((stream, Math.Max(1, content.Length)));
        }

        ZLibCompressionStrategy[] strategies = Enum.GetValues<ZLibCompressionStrategy>();
        string[] names = [.. ClusterContents.Names];
        byte[] compressed = new byte[8192];
        for (int i = 0; i < 40; i++)
        {
            int length = random.Next(1, 6000);
            byte[] cluster = ClusterContents.Create(names[random.Next(names.Length)], length);
            streams.Add((Deflate(cluster, random.Next(10), strategies[random.Next(strategies.Length)]), length));
            using ClusterEncoder encoder = new DeflateEncoder(random.Next(1, 10));
            if (encoder.TryEncode(cluster, compressed, out int count))
            {
                streams.Add((compressed[..count], length));
            }
        }

        return [.. streams];
    }

    private static byte[] Damage(byte[] stream, byte[] other, Random random)
    {
        byte[] damaged = [.. stream];
        int near = random.Next(2) == 0 ? Math.Min(100, damaged.Length) : damaged.Length;
        switch (random.Next(8))
        {
            case 0:
                return damaged[..random.Next(damaged.Length + 1)];
            case 1:
                return [.. damaged, .. other];
            case 2:
                return [.. damaged[..random.Next(damaged.Length)], .. other[random.Next(other.Length)..]];
            case 3:
                damaged[random.Next(near)] = (byte)random.Next(256);
                return damaged;
            case 4:
                random.NextBytes(damaged.AsSpan(random.Next(near)));
                return damaged;
            default:
                for (int flips = random.Next(1, 4); flips > 0; flips--)
                {
                    damaged[random.Next(near)] ^= (byte)(1 << random.Next(8));
                }

                return damaged;
        }
    }

    private static byte[] Deflate(byte[] bytes, int level, ZLibCompressionStrategy strategy)
    {
        using var output = new MemoryStream();
        using (var deflater = new DeflateStream(output, new ZLibCompressionOptions { CompressionLevel = level, CompressionStrategy = strategy }))
        {
            deflater.Write(bytes);
        }

        return output.ToArray();
    }
}
