using System.Buffers.Binary;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Packed;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>What gzip, xz, zstd and bzip2 packed comes out as it was, and nothing does that was cut off or changed.</summary>
public sealed class PackedReaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>Programs with what they can do that a reader must know.</summary>
    private static readonly string[] Commands =
    [
        "gzip -c -1", "gzip -c -6", "gzip -c -9",
        "xz -c -0", "xz -c -6", "xz -c -9e", "xz -c --check=crc32", "xz -c --check=sha256", "xz -c --block-size=200KiB", "xz -c -T2 --block-size=300KiB",
        "xz -c --lzma2=preset=6,lc=0,lp=4,pb=0", "xz -c --lzma2=preset=6,lc=4,lp=0,pb=4", "xz -c --lzma2=dict=4KiB", "xz -c --lzma2=dict=96KiB,lc=1,lp=2,pb=1",
        "zstd -c -1", "zstd -c -19", "zstd -c --long=27", "zstd -c -3 -T2",
        "bzip2 -c -1", "bzip2 -c -9",
    ];

    public void Dispose() => _folder.Dispose();

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void What_was_packed_comes_out()
    {
        byte[] content = PackedSamples.Content(700_000, 1);
        foreach (string command in Commands)
        {
            byte[] packed = PackedSamples.Pack(content, command);
            Assert.True(content.AsSpan().SequenceEqual(PackedSamples.Unpack(packed, PackedSamples.KindOf(command))), command);
        }
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void Short_and_odd_contents_come_out()
    {
        byte[][] contents = [[], [7], new byte[300_000], [.. Enumerable.Repeat((byte)200, 5)], PackedSamples.Content(65_537, 2), PackedSamples.Content(1_100_001, 3)];
        foreach (byte[] content in contents)
        {
            foreach (string command in (string[])["gzip -c", "xz -c", "zstd -c", "bzip2 -c"])
            {
                byte[] packed = PackedSamples.Pack(content, command);
                Assert.True(content.AsSpan().SequenceEqual(PackedSamples.Unpack(packed, PackedSamples.KindOf(command), 1 + (content.Length / 7))), $"{command}: {content.Length}");
            }
        }
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void Files_that_were_joined_come_out_joined()
    {
        byte[] first = PackedSamples.Content(200_000, 4);
        byte[] second = PackedSamples.Content(300_000, 5);
        byte[] both = [.. first, .. second];
        foreach (string command in (string[])["gzip -c", "xz -c", "zstd -c", "bzip2 -c"])
        {
            byte[] one = PackedSamples.Pack(first, command);
            byte[] two = PackedSamples.Pack(second, command);
            byte[] none = PackedSamples.Pack([], command);
            Assert.True(both.AsSpan().SequenceEqual(PackedSamples.Unpack([.. none, .. one, .. none, .. two, .. none], PackedSamples.KindOf(command))), command);
        }

        // Zeros between streams of xz, and frames that hold nothing.
        Assert.Equal(both, PackedSamples.Unpack([.. PackedSamples.Pack(first, "xz -c"), .. new byte[8], .. PackedSamples.Pack(second, "xz -c"), .. new byte[4]], "xz"));
        byte[] skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        Assert.Equal(both, PackedSamples.Unpack([.. skippable, .. PackedSamples.Pack(first, "zstd -c"), .. skippable, .. PackedSamples.Pack(second, "zstd -c"), .. skippable], "zstd"));
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void A_file_that_is_cut_off_is_an_error_wherever_that_is()
    {
        byte[] content = PackedSamples.Content(20_000, 6);
        foreach (string command in (string[])["gzip -c", "xz -c", "xz -c --block-size=8KiB", "zstd -c", "bzip2 -c"])
        {
            byte[] packed = PackedSamples.Pack(content, command);
            foreach (int length in Places(packed.Length))
            {
                Refused(packed.AsSpan(0, length).ToArray(), PackedSamples.KindOf(command), $"{command}, cut at {length} of {packed.Length}");
            }
        }
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void A_changed_byte_is_an_error_or_changes_nothing()
    {
        byte[] content = PackedSamples.Content(20_000, 7);
        var random = new Random(8);
        foreach (string command in (string[])["gzip -c", "xz -c", "xz -c --check=sha256 --block-size=8KiB", "zstd -c", "bzip2 -c"])
        {
            byte[] packed = PackedSamples.Pack(content, command);
            string kind = PackedSamples.KindOf(command);
            int harmless = 0;
            foreach (int place in Places(packed.Length))
            {
                byte[] changed = (byte[])packed.Clone();
                changed[place] ^= (byte)(1 << random.Next(8));
                try
                {
                    byte[] found = PackedSamples.Unpack(changed, kind);
                    Assert.True(content.AsSpan().SequenceEqual(found), $"{command}, changed at {place}: another disk came out.");
                    harmless++; // The time of a gzip file, say.
                }
                catch (Qcow2Exception)
                {
                }
            }

            Assert.True(harmless < 20, $"{command}: {harmless} changes were not found.");
        }
    }

    [LinuxFact("gzip", "xz", "zstd", "bzip2")]
    public void What_follows_is_an_error()
    {
        byte[] content = PackedSamples.Content(5_000, 9);
        foreach (string command in (string[])["gzip -c", "xz -c", "zstd -c", "bzip2 -c"])
        {
            byte[] packed = PackedSamples.Pack(content, command);
            foreach (byte[] more in (byte[][])[[0], [1, 2, 3], new byte[5], [.. Enumerable.Repeat((byte)'x', 1000)]])
            {
                Refused([.. packed, .. more], PackedSamples.KindOf(command), $"{command}, and {more.Length} bytes");
            }
        }
    }

    [LinuxFact("xz", "zstd")]
    public void What_has_no_check_sum_or_needs_more_is_refused()
    {
        byte[] content = PackedSamples.Content(5_000, 10);
        foreach (string command in (string[])["xz -c --check=none", "zstd -c --no-check", "xz -c --x86 --lzma2=preset=6", "xz -c --delta=dist=4 --lzma2=preset=6", "zstd -c -1 --long=29"])
        {
            Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => PackedSamples.Unpack(PackedSamples.Pack(content, command), PackedSamples.KindOf(command)));
            Assert.True(error.Code == Qcow2ErrorCode.UnsupportedFeature, $"{command}: {error.Message}");
            Assert.Contains("first", error.Message, StringComparison.Ordinal);
        }

        // A window of 1 GiB, which xz itself would need much memory to write.
        byte[] large = PackedSamples.Pack(content, "xz -c");
        large[16] = 36;
        BinaryPrimitives.WriteUInt32LittleEndian(large.AsSpan(20), Crc32.Of(large.AsSpan(12, 8)));
        Assert.Contains("window", Assert.Throws<Qcow2Exception>(() => PackedSamples.Unpack(large, "xz")).Message, StringComparison.Ordinal);
    }

    [LinuxFact("xz", "zstd", "gzip")]
    public void A_file_says_how_much_it_holds()
    {
        byte[] content = PackedSamples.Content(700_000, 11);
        byte[] xz = PackedSamples.Pack(content, "xz -c --block-size=100KiB");
        Assert.Equal(700_000, PackedKind.Find("xz")!.LengthOf(new MemoryStorage(xz), default));
        Assert.Equal(1_400_000, PackedKind.Find("xz")!.LengthOf(new MemoryStorage([.. xz, .. new byte[4100], .. xz, .. new byte[4]]), default));
        byte[] zstd = PackedSamples.PackFile(_folder, content, "zstd -c");
        Assert.Equal(1_400_000, PackedKind.Find("zstd")!.LengthOf(new MemoryStorage([.. zstd, .. zstd]), default));
        Assert.Null(PackedKind.Find("zstd")!.LengthOf(new MemoryStorage([.. zstd, .. PackedSamples.Pack(content, "zstd -c")]), default));
        Assert.Null(PackedKind.Find("gzip")!.LengthOf(new MemoryStorage(PackedSamples.Pack(content, "gzip -c")), default));
        foreach (byte[] packed in (byte[][])[xz, zstd])
        {
            string kind = packed == xz ? "xz" : "zstd";
            foreach (int length in Places(packed.Length).Where(length => length > 0))
            {
                Assert.Throws<Qcow2Exception>(() => PackedKind.Find(kind)!.LengthOf(new MemoryStorage(packed.AsSpan(0, length).ToArray()), default));
            }
        }
    }

    [Fact]
    public void Any_bytes_whatever_are_refused()
    {
        var random = new Random(12);
        byte[][] marks = [[0x1f, 0x8b, 8, 0], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46], [0x28, 0xb5, 0x2f, 0xfd, 4], "BZh91AY&SY"u8.ToArray()];
        string[] kinds = ["gzip", "xz", "zstd", "bzip2"];
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int more) ? more : 300;
        for (int round = 0; round < rounds; round++)
        {
            byte[] noise = new byte[random.Next(1, 3000)];
            random.NextBytes(noise);
            Refused([.. marks[round % 4], .. noise], kinds[round % 4], $"round {round}");
        }
    }

    private static void Refused(byte[] packed, string kind, string what)
    {
        try
        {
            PackedSamples.Unpack(packed, kind);
        }
        catch (Qcow2Exception)
        {
            return;
        }

        Assert.Fail($"{what}: it was taken for a whole file.");
    }

    /// <summary>The first and last hundred bytes, and some in between.</summary>
    private static IEnumerable<int> Places(int length)
    {
        int step = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out _) ? 1 : 211;
        return Enumerable.Range(0, length).Where(place => place < 100 || place > length - 100 || place % step == 0);
    }
}
