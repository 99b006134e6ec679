using System.IO.Compression;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>
/// Data put together at random from pieces of every kind, at random levels, windows and lengths. The long form: QCOW2_FUZZ_ROUNDS rounds.
/// </summary>
public sealed class DeflateFuzzTests
{
    private const int LongestData = 70_000;

    [Fact]
    public void Everything_comes_back_and_keeps_to_its_window()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 250;
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            byte[] data = Data(random);
            int windowBits = random.Next(4) == 0 ? DeflateEncoder.MaxWindowBits : DeflateEncoder.WindowBits;
            int level = random.Next(1, 10);
            using var encoder = new DeflateEncoder(level, windowBits);

            // Guards on both sides; the room is sometimes less than what there should be.
            int room = random.Next(8) == 0 ? random.Next(data.Length + 1) : data.Length;
            byte[] output = new byte[room + 32];
            Fill(output, 0, output.Length);
            bool isSmaller = encoder.TryEncode(data, output.AsSpan(16, room), out int length);
            try
            {
                Assert.All(output.Take(16).Concat(output.Skip(16 + room)), value => Assert.Equal(0xa5, value));
                if (isSmaller)
                {
                    Assert.InRange(length, 1, Math.Min(room, data.Length - 1));
                    AssertSame(data, output.AsSpan(16, length).ToArray(), windowBits, readsByLetter: seed % 10 == 0);
                }
                else if (room == data.Length && windowBits == DeflateEncoder.MaxWindowBits)
                {
                    // .NET's encoder, whose window is the same, finds next to nothing either.
                    Assert.InRange(Deflater.Deflate(data).Length, (data.Length * 9 / 10) - 20, int.MaxValue);
                }
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Seed {seed}: level {level}, window {windowBits}, {data.Length} bytes, room {room}.", exception);
            }
        }
    }

    private static void AssertSame(byte[] data, byte[] stream, int windowBits, bool readsByLetter)
    {
        byte[] back = new byte[data.Length];
        Assert.True(new InflateDecoder().TryDecode(stream, stream.Length, back));
        Assert.True(data.AsSpan().SequenceEqual(back));

        using var inflater = new DeflateStream(new MemoryStream(stream), CompressionMode.Decompress);
        using var all = new MemoryStream();
        inflater.CopyTo(all);
        Assert.True(data.AsSpan().SequenceEqual(all.ToArray()));

        // Says how far back the matches are, and that the stream ends in its last byte.
        if (readsByLetter)
        {
            var reader = new DeflateReader(stream);
            Assert.True(data.AsSpan().SequenceEqual(reader.ReadAll()));
            Assert.InRange(reader.MaxDistance, 0, 1 << windowBits);
        }
    }

    private static byte[] Data(Random random)
    {
        byte[] data = new byte[random.Next(3) switch
        {
            0 => random.Next(1, 600),
            1 => random.Next(1, LongestData),
            _ => 1 << random.Next(9, 17),
        }];
        int position = 0;
        while (position < data.Length)
        {
            // Pieces begin and end where chunks, blocks and windows do, and a little beside that.
            int length = random.Next(3) switch
            {
                0 => random.Next(1, 300),
                1 => random.Next(1, 10_000),
                _ => (4096 << random.Next(3)) - (position % 4096) + random.Next(-2, 3),
            };
            length = Math.Min(Math.Max(length, 1), data.Length - position);
            FillPiece(random, data, position, length);
            position += length;
        }

        return data;
    }

    private static void FillPiece(Random random, byte[] data, int start, int length)
    {
        int kind = random.Next(8);
        int parameter = random.Next(1, 64);
        byte value = (byte)random.Next(256);
        int back = Math.Min(start, random.Next(4) == 0 ? random.Next(4090, 4100) : random.Next(1, 40_000));
        for (int i = start; i < start + length; i++)
        {
            data[i] = kind switch
            {
                0 => 0,
                1 => value,
                2 => (byte)random.Next(256),
                3 => (byte)random.Next(parameter),
                4 => (byte)(i % parameter),
                5 => (byte)Math.Min(255, Math.Log(1 - random.NextDouble()) / -0.4812), // Each 1.618 times as often as the next.
                6 when back > 0 && random.Next(50) != 0 => data[i - back], // What was there, with a difference now and then.
                _ => (byte)" etaoinshrdlu0123"[random.Next(random.Next(1, 17))],
            };
        }
    }

    private static void Fill(byte[] bytes, int start, int count)
    {
        for (int i = start; i < start + count; i++)
        {
            bytes[i] = 0xa5;
        }
    }
}
