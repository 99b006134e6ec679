using Qcow2.Engine.Codecs;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class InflateDecoderTests : InflateDecoderContract
{
    private protected override ClusterDecoder Create() => new InflateDecoder();

    public static TheoryData<string> VectorNames => [.. InflateVectors.All.Select(vector => vector.Name)];

    /// <summary>Alone, near the end of input and output, and with a margin of both before it and behind it.</summary>
    [Theory]
    [MemberData(nameof(VectorNames))]
    public void Stream_by_hand_is_what_it_says(string name)
    {
        (_, byte[] stream, int length, byte[]? content) = InflateVectors.All.Single(vector => vector.Name == name);
        byte[] output = new byte[length];
        ClusterDecoder decoder = Create();

        Assert.Equal(content is not null, decoder.TryDecode(stream, stream.Length, output));
        Assert.True(content is null || content.AsSpan().SequenceEqual(output));

        // Damage comes out the same with more room, where the fast loop finds it.
        byte[] behind = [.. stream, .. new byte[64]];
        if (content is null && !name.Contains("cut off") && !name.StartsWith("full", StringComparison.Ordinal))
        {
            Assert.False(decoder.TryDecode(behind, behind.Length, new byte[length + 1000]));
        }
        else if (content is not null)
        {
            Assert.True(decoder.TryDecode(behind, behind.Length, output));
        }
    }

    /// <summary>The end of the output lies in each byte of each match, and the end of the input in each byte of the stream.</summary>
    [Fact]
    public void Ends_are_found_wherever_they_are()
    {
        (byte[] stream, byte[] content) = new DeflateGenerator(new Random(7)).Create(1500);
        ClusterDecoder decoder = Create();
        for (int length = 1; length <= content.Length; length++)
        {
            byte[] guarded = [.. Enumerable.Repeat((byte)0xa5, length + 64)];
            Assert.True(decoder.TryDecode(stream, stream.Length, guarded.AsSpan(0, length)));
            Assert.True(content.AsSpan(0, length).SequenceEqual(guarded.AsSpan(0, length)));
            Assert.True(guarded.AsSpan(length).ToArray().All(value => value == 0xa5));
        }
    }

    /// <summary>Each distance up to 40 with each length, in a buffer with room and in one that ends with the match.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public void Matches_overlap_themselves_in_every_way(int behind)
    {
        ClusterDecoder decoder = Create();
        byte[] window = TestData.Random(40);
        for (int distance = 1; distance <= 40; distance++)
        {
            for (int length = 3; length <= 258; length++)
            {
                (byte[] stream, byte[] content) = DeflateGenerator.OneMatch(window, distance, length, behind);
                byte[] output = new byte[content.Length];
                Assert.True(decoder.TryDecode(stream, stream.Length, output));
                Assert.True(content.AsSpan().SequenceEqual(output), $"distance {distance}, length {length}");
            }
        }
    }

    [Fact]
    public void Random_streams_with_what_no_encoder_writes_are_read()
    {
        ClusterDecoder decoder = Create();
        for (int seed = 0; seed < 250; seed++)
        {
            (byte[] stream, byte[] content) = new DeflateGenerator(new Random(seed)).Create(seed % 10 == 0 ? 40_000 : 600);
            byte[] output = new byte[content.Length];
            Assert.True(content.Length == 0 || decoder.TryDecode(stream, stream.Length, output), $"seed {seed}");
            Assert.True(content.AsSpan().SequenceEqual(output), $"seed {seed}");
        }
    }

    /// <summary>Sound streams, cut ones and noise, in memory that begins and ends with a page that nobody may touch.</summary>
    [LinuxFact]
    public void Nothing_is_read_or_written_beside_the_buffers()
    {
        using var inputs = new GuardedMemory(65_536);
        using var outputs = new GuardedMemory(65_536);
        var inflater = new Inflater();
        var random = new Random(3);
        for (int round = 0; round < 400; round++)
        {
            (byte[] stream, byte[] content) = new DeflateGenerator(random).Create(random.Next(2000));
            if (round % 4 == 1)
            {
                stream = stream[..random.Next(stream.Length)];
            }
            else if (round % 4 == 2)
            {
                random.NextBytes(stream.AsSpan(random.Next(stream.Length)));
            }

            for (int length = Math.Max(1, content.Length - 40); length <= content.Length + 40; length += random.Next(1, 20))
            {
                stream.CopyTo(inputs.Last(stream.Length));
                bool isSound = inflater.TryFill(inputs.Last(stream.Length), outputs.Last(length));
                Assert.True(isSound || round % 4 != 0 || length > content.Length);
                byte[] output = outputs.Last(length).ToArray();

                stream.CopyTo(inputs.First(stream.Length));
                Assert.Equal(isSound, inflater.TryFill(inputs.First(stream.Length), outputs.First(length)));
                Assert.True(!isSound || outputs.First(length).SequenceEqual(output));
            }
        }
    }

    /// <summary>The input ends so many bytes behind symbols that take as much of it as there can be.</summary>
    [LinuxFact]
    public void Longest_symbols_are_read_up_to_the_last_byte()
    {
        using var inputs = new GuardedMemory(65_536);
        var inflater = new Inflater();
        byte[] output = new byte[30_229];
        foreach (byte[] stream in InflateVectors.LongestSymbols)
        {
            for (int behind = -4; behind < 40; behind++)
            {
                Span<byte> input = inputs.Last(stream.Length + behind);
                input.Clear();
                stream.AsSpan(0, Math.Min(stream.Length, input.Length)).CopyTo(input);
                bool isSound = inflater.TryFill(input, output);
                Assert.True(isSound || behind < 0);
                Assert.True(!isSound || output.AsSpan(30_002).SequenceEqual(output.AsSpan(30_002 - 24_577, 227)));
            }
        }
    }
}
