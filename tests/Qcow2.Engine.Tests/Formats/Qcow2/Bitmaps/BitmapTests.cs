using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>What bitmaps hold after the disk was written, and what is left alone.</summary>
public sealed class BitmapTests
{
    private const int DiskSize = 300_000;

    public static TheoryData<int, int, int> Layouts
    {
        get
        {
            var layouts = new TheoryData<int, int, int>();
            foreach ((int clusterBits, int size) in ((int, int)[])[(9, 260_000), (12, 300_000), (12, 300_001), (12, 299_520), (16, 1 << 20), (14, 500_001)])
            {
                foreach (int granularityBits in (int[])[9, 12, 16, 31])
                {
                    layouts.Add(clusterBits, size, granularityBits);
                }
            }

            return layouts;
        }
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Every_change_sets_its_bits_and_no_others(int clusterBits, int size, int granularityBits)
    {
        string label = $"{clusterBits}, {size}, {granularityBits}";
        int seed = TestRounds.Seed(label);
        var random = new Random(seed);
        MemoryStorage storage = Build(new ImageBuilder
        {
            ClusterBits = clusterBits,
            Size = (ulong)size,
            ExtendedL2 = clusterBits == 14,
            Bitmaps = [new BuilderBitmap("first", (byte)granularityBits), new BuilderBitmap("off", 9, 0), new BuilderBitmap("second", 10)],
        });
        bool[] first = new bool[Bits(size, granularityBits)];
        bool[] second = new bool[Bits(size, 10)];
        for (int round = TestRounds.Times(4); round > 0; round--)
        {
            using (Qcow2Image image = Open(storage))
            {
                for (int i = random.Next(8); i > 0; i--)
                {
                    (int offset, int length) = Change(image, random);
                    Mark(first, offset, length, granularityBits);
                    Mark(second, offset, length, 10);
                }

                if (random.Next(2) == 0)
                {
                    image.Flush();
                }
            }

            AssertClean(storage, label);
            Dictionary<string, BitmapOnDisk> bitmaps = BitmapReader.Read(storage.Content);
            Assert.True(bitmaps["first"].Bits.SequenceEqual(first), $"{label}, QCOW2_TEST_SEED={seed}");
            Assert.True(bitmaps["second"].Bits.SequenceEqual(second), $"{label}, QCOW2_TEST_SEED={seed}");
            Assert.Empty(bitmaps["off"].Dirty);
            Assert.All(bitmaps.Values, bitmap => Assert.Equal(0u, bitmap.Flags & BitmapOnDisk.InUse));
        }
    }

    [Fact]
    public void Bitmaps_that_record_nothing_stay_as_they_are_bit_for_bit()
    {
        BuiltImage built = new ImageBuilder
        {
            Size = DiskSize,
            Bitmaps = [new BuilderBitmap("off", 9, 0), new BuilderBitmap("lost", 9, 3), new BuilderBitmap("lost-off", 9, 1), new BuilderBitmap("on", 16)],
        }.Build();
        for (int i = 0; i < 3; i++)
        {
            built.SetU64(built.BitmapTableOffsets[i], 1); // Every bit is set.
        }

        byte[][] before = [.. built.BitmapTableOffsets.Take(3).Select(table => built.Bytes.AsSpan(table, 4096).ToArray())];
        byte[] entries = built.Bytes.AsSpan(built.BitmapEntryOffsets[0], built.BitmapEntryOffsets[3] - built.BitmapEntryOffsets[0]).ToArray();
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Open(storage))
        {
            image.Write(100_000, [1]);
            Assert.Equal([0u, 3u, 1u, 2u], image.Bitmaps.Select(bitmap => (uint)bitmap.Flags));
        }

        AssertClean(storage, "");
        Assert.Equal(before, built.BitmapTableOffsets.Take(3).Select(table => storage.Content.AsSpan(table, 4096).ToArray()));
        Assert.Equal(entries, storage.Content.AsSpan(built.BitmapEntryOffsets[0], entries.Length).ToArray());
        Assert.Equal([1], BitmapReader.Read(storage.Content)["on"].Dirty);
    }

    [Fact]
    public void Page_of_ones_takes_no_cluster_and_stays_one()
    {
        const int Size = 512 * 8 * 512 * 2; // Two pages of bits exactly.
        BuiltImage built = new ImageBuilder { ClusterBits = 12, Size = Size * 8, Bitmaps = [new BuilderBitmap("b", 9)] }.Build();
        built.SetU64(built.BitmapTableOffsets[0] + 8, 1);
        var storage = new MemoryStorage(built.Bytes);
        long page = 4096 * 8 * 512;
        using (Qcow2Image image = Open(storage))
        {
            image.WriteZeroes(0, page);
            image.Write(page + 5, [1]);
        }

        AssertClean(storage, "");
        BitmapOnDisk bitmap = BitmapReader.Read(storage.Content)["b"];
        Assert.Equal([1UL, 1UL], bitmap.Table);

        // Cut in the midst of a page of ones: what follows the last bit is zeros, for there may be more of the disk again.
        using (Qcow2Image image = Open(storage))
        {
            image.Resize(page + (100 * 512), allowShrink: true);
            image.Resize(2 * page);
        }

        AssertClean(storage, "");
        bitmap = BitmapReader.Read(storage.Content)["b"];
        Assert.Equal((int)(page / 512) + 100, bitmap.Dirty.Count());
        Assert.Equal(1UL, bitmap.Table[0]);
    }

    [Fact]
    public void Threads_that_write_at_once_lose_no_bit()
    {
        MemoryStorage storage = Build(new ImageBuilder { Size = 4 << 20, Bitmaps = [new BuilderBitmap("b", 9), new BuilderBitmap("c", 13)] });
        int sectors = (4 << 20) / 512;
        using (Qcow2Image image = Open(storage))
        {
            Parallel.For(0, 8, thread =>
            {
                for (int sector = thread; sector < sectors; sector += 16)
                {
                    image.Write(sector * 512L, [(byte)thread]);
                }
            });
        }

        AssertClean(storage, "");
        Dictionary<string, BitmapOnDisk> bitmaps = BitmapReader.Read(storage.Content);
        Assert.Equal(Enumerable.Range(0, sectors).Where(sector => sector % 16 < 8), bitmaps["b"].Dirty);
        Assert.All(bitmaps["c"].Bits, Assert.True);
    }

    [Fact]
    public void Resize_with_a_bitmap_that_was_never_saved_is_refused()
    {
        MemoryStorage storage = Build(new ImageBuilder { Size = DiskSize, Bitmaps = [new BuilderBitmap("lost", 16, 3), new BuilderBitmap("good", 16)] });
        using (Qcow2Image image = Open(storage))
        {
            Assert.Contains("'lost'", Assert.Throws<NotSupportedException>(() => image.Resize(1 << 20)).Message, StringComparison.Ordinal);
            Assert.Equal(DiskSize, image.Length);
        }

        AssertClean(storage, "");
        Assert.Equal(BitmapOnDisk.Auto, BitmapReader.Read(storage.Content)["good"].Flags);
    }

    [Fact]
    public void Resize_to_a_disk_that_a_bitmap_cannot_describe_is_refused()
    {
        MemoryStorage storage = Build(new ImageBuilder { ClusterBits = 16, Size = 1 << 20, Bitmaps = [new BuilderBitmap("fine", 9)] });
        using (Qcow2Image image = Open(storage))
        {
            Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => image.Resize((512L << 20) * 8 * 512 + 512));
            Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
            Assert.Contains("'fine'", error.Message, StringComparison.Ordinal);
            Assert.Throws<NotSupportedException>(() => image.Resize(0, allowShrink: true));
            Assert.Equal(1 << 20, image.Length);
        }

        AssertClean(storage, "");
    }

    [Theory]
    [InlineData(512)]
    [InlineData(504 * 1024)]
    [InlineData(40 << 20)]
    [InlineData(700_000)]
    [InlineData(262_144)]
    public void Resized_bitmap_has_the_bits_of_what_is_left_and_clear_ones_for_what_is_new(int size)
    {
        const int Start = 2 << 20;
        MemoryStorage storage = Build(new ImageBuilder
        {
            ClusterBits = 9,
            Size = Start,
            Bitmaps = [new BuilderBitmap("a", 9), new BuilderBitmap("off", 9, 0), new BuilderBitmap("big", 14)],
        });
        bool[] bits = new bool[Start / 512];
        using (Qcow2Image image = Open(storage))
        {
            foreach (int offset in (int[])[0, 5000, 261_632, 262_144, 1_000_000, Start - 512])
            {
                image.Write(offset, new byte[700].AsSpan(0, Math.Min(700, Start - offset)));
                Mark(bits, offset, Math.Min(700, Start - offset), 9);
            }
        }

        using (Qcow2Image image = Open(storage))
        {
            image.Resize(size, allowShrink: true);
            Assert.Equal(0u, (uint)image.Bitmaps[1].Flags);
            Assert.Equal(0u, BitmapReader.Read(storage.Content)["off"].Flags);
        }

        AssertClean(storage, $"{size}");
        Array.Resize(ref bits, size / 512 + (size % 512 == 0 ? 0 : 1));
        Dictionary<string, BitmapOnDisk> bitmaps = BitmapReader.Read(storage.Content);
        Assert.Equal(bits, bitmaps["a"].Bits);
        Assert.All(bitmaps.Values, bitmap => Assert.Equal(((bitmap.Bits.Length + 4095) / 4096), bitmap.Table.Length));
        Assert.Equal([2u, 0u, 2u], bitmaps.Values.Select(bitmap => bitmap.Flags));
    }

    [Fact]
    public void Page_that_was_cut_off_does_not_come_back_with_the_disk()
    {
        const int Size = 5 << 20; // Three pages of bits.
        MemoryStorage storage = Build(new ImageBuilder { ClusterBits = 9, Size = Size, Bitmaps = [new BuilderBitmap("b", 9), new BuilderBitmap("off", 9, 0)] });
        using (Qcow2Image image = Open(storage))
        {
            image.Write(100, [1]);
            image.Write(3 << 20, [1]);
            image.Write(Size - 1, [1]);
        }

        using (Qcow2Image image = Open(storage))
        {
            image.Resize(1 << 20, allowShrink: true);
            image.Resize(Size);
        }

        AssertClean(storage, "");
        Assert.Equal([0], BitmapReader.Read(storage.Content)["b"].Dirty);
    }

    [Fact]
    public void Half_sector_that_qemu_has_no_bit_for_sets_the_last_bit()
    {
        // With the half sector a bit, and a table entry, more are needed than QEMU sees.
        const int Whole = 4096 * 512;
        BuiltImage built = new ImageBuilder { ClusterBits = 9, Size = Whole + 100, Bitmaps = [new BuilderBitmap("b", 9)] }.Build();
        built.SetU32(built.BitmapEntryOffsets[0] + 8, 1);
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Open(storage))
        {
            image.Write(Whole + 50, [1]);
        }

        BitmapOnDisk bitmap = BitmapReader.Read(storage.Content)["b"];
        Assert.Equal([4095], bitmap.Dirty);
        Assert.Single(bitmap.Table);
    }

    [Theory]
    [InlineData("table past the end")]
    [InlineData("table of another size")]
    [InlineData("data past the end")]
    [InlineData("data not aligned")]
    [InlineData("reserved bit")]
    [InlineData("data is the header")]
    [InlineData("data is an L2 table")]
    [InlineData("data is its own table")]
    [InlineData("data is the directory")]
    [InlineData("directory is an L2 table")]
    [InlineData("data twice")]
    [InlineData("data of refcount 0")]
    [InlineData("tables of one cluster")]
    public void Image_with_a_hostile_bitmap_is_not_written(string damage)
    {
        BuiltImage built = new ImageBuilder { ClusterBits = 12, Size = 64 << 20, Bitmaps = [new BuilderBitmap("a", 9), new BuilderBitmap("b", 9)] }.Build();
        int table = built.BitmapTableOffsets[0];
        int entry = built.BitmapEntryOffsets[0];
        ulong end = (ulong)built.Bytes.Length;
        _ = damage switch
        {
            "table past the end" => built.SetU64(entry, end),
            "table of another size" => built.SetU32(entry + 8, 5),
            "data past the end" => built.SetU64(table, (end + 4095) & ~4095UL),
            "data not aligned" => built.SetU64(table, (ulong)built.DataOffsets[0] + 512),
            "reserved bit" => built.SetU64(table, 2),
            "data is the header" => built.SetU64(table, 1UL << 56),
            "data is an L2 table" => built.SetU64(table, (ulong)built.L2Offset),
            "data is its own table" => built.SetU64(table, (ulong)table),
            "data is the directory" => built.SetU64(table, (ulong)entry),
            "directory is an L2 table" => built
                .Overwrite(built.L2Offset, built.Bytes.AsSpan(entry, 64).ToArray())
                .SetU64(built.ExtensionOffset(ExtensionType.Bitmaps) + 24, (ulong)built.L2Offset),
            "data twice" => built.SetU64(table, (ulong)built.DataOffsets[0]).SetU64(table + 8, (ulong)built.DataOffsets[0]),
            "data of refcount 0" => built.Append(new byte[4096]).SetU64(table, end),
            _ => built.SetU64(entry, (ulong)built.BitmapTableOffsets[1]),
        };
        byte[] before = [.. built.Bytes];
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Open(storage))
        {
            Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.ThrowsAny<Qcow2Exception>(() => image.Write(0, [1])).Code);
        }

        Assert.Equal(before, storage.Content);
    }

    [Theory]
    [InlineData("directory")]
    [InlineData("table")]
    [InlineData("data")]
    public void Guest_data_never_lands_on_it(string victim)
    {
        BuiltImage built = new ImageBuilder
        {
            ClusterBits = 12,
            Size = 64 << 20,
            Bitmaps = [new BuilderBitmap("off", 9, 0)],
            DataClusters = 4,
        }.Build();
        long target = victim switch
        {
            "directory" => built.BitmapEntryOffsets[0],
            "table" => built.BitmapTableOffsets[0],
            _ => built.DataOffsets[3],
        };
        if (victim == "data")
        {
            built.SetU64(built.BitmapTableOffsets[0] + 16, (ulong)target);
        }

        built.SetU64(built.L2EntryOffset(0), (1UL << 63) | (ulong)target);
        AssertWriteIsRefused(built.Bytes, target, 4096);
    }

    [Fact]
    public void Guest_data_never_lands_on_the_LUKS_header()
    {
        byte[] file = File.ReadAllBytes(Fixtures.Get("luks").Path);
        Qcow2Header header = Qcow2Header.Parse(file);
        EncryptionHeaderExtension luks = header.Extension<EncryptionHeaderExtension>()!;
        int l2 = (int)(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)header.L1TableOffset)) & 0x00ff_ffff_ffff_fe00);
        long target = (luks.Offset + luks.HeaderLength - 1) & ~(header.ClusterSize - 1L);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(l2), (1UL << 63) | (ulong)target);

        AssertWriteIsRefused(file, target, header.ClusterSize);
    }

    private static void AssertWriteIsRefused(byte[] file, long target, int length)
    {
        byte[] before = file.AsSpan((int)target, length).ToArray();
        var storage = new MemoryStorage(file);
        Qcow2Image image = Open(storage);

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.ThrowsAny<Qcow2Exception>(() => image.Write(0, [1, 2, 3])).Code);
        Assert.ThrowsAny<Qcow2Exception>(image.Dispose);

        Assert.Equal(before, storage.Content.AsSpan((int)target, length).ToArray());
        Assert.Equal(2, storage.Content[HeaderOffset.IncompatibleFeatures + 7] & 2);
    }

    private static MemoryStorage Build(ImageBuilder builder) => new(builder.Build().Bytes);

    private static Qcow2Image Open(MemoryStorage storage) => Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true });

    private static int Bits(long size, int granularityBits) => (int)((size + (1L << granularityBits) - 1) >> granularityBits);

    private static void Mark(bool[] bits, long offset, long length, int granularityBits)
    {
        for (long bit = offset >> granularityBits; bit <= (offset + length - 1) >> granularityBits; bit++)
        {
            bits[bit] = true;
        }
    }

    private static (int Offset, int Length) Change(Qcow2Image image, Random random)
    {
        int length = (int)Math.Min(image.Length, random.Next(3) == 0 ? random.Next(1, 100_000) : random.Next(1, 2000));
        int offset = random.Next((int)image.Length - length + 1);
        switch (random.Next(5))
        {
            case 0:
                image.WriteZeroes(offset, length);
                break;
            case 1:
                image.Discard(offset, length);
                break;
            case 2:
                offset -= offset % image.Header.ClusterSize;
                length = (int)Math.Min(image.Header.ClusterSize, image.Length - offset);
                image.WriteCompressed(offset, new byte[length]);
                break;
            default:
                byte[] data = new byte[length];
                random.NextBytes(data);
                image.Write(offset, data);
                break;
        }

        return (offset, length);
    }

    private static void AssertClean(MemoryStorage storage, string label)
    {
        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.True(audit.Corruptions.Count == 0 && audit.Leaks == 0, $"{label}: {audit.Leaks} leaks. {string.Join('\n', audit.Corruptions.Take(5))}");
    }
}
