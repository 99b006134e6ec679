using System.Buffers.Binary;
using Qcow2.Engine.Formats.Vhdx;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>Files in which one field lies: a clear error, never a crash, a hang or memory in proportion to the lie.</summary>
public sealed class VhdxHostileTests
{
    private const int MiB = 1 << 20;

    /// <summary>Each case: what is wrong, a change, and what the error says.</summary>
    internal static readonly (string Name, Action<VhdxBuilder> Change, string Message)[] Cases =
    [
        ("signature", b => b.At(0)[0] = 0, "vhdxfile"),
        ("both headers", b => { b.At(64 << 10)[8] ^= 1; b.At(128 << 10)[8] ^= 1; }, "Neither header"),
        ("equal headers that differ", b => { b.At(128 << 10)[8] = 7; b.At(128 << 10)[40] ^= 1; b.SealHeaders(); }, "nobody knows which counts"),
        ("version", b => { b.At(64 << 10)[66] = 2; b.At(128 << 10)[66] = 2; b.SealHeaders(); }, "version 2"),
        ("both region tables", b => { b.At(192 << 10)[100] ^= 1; b.At(256 << 10)[100] ^= 1; }, "Neither region table"),
        ("regions too many", b => Region(b, 8, 0xffff_ffff), "at most 2047"),
        ("region unknown and needed", b => Region(b, 16, 0xdead_beef), "does not know"),
        ("region in the headers", b => Region(b, 32, 0), "after the first"),
        ("region off the MiB", b => Region(b, 32, (3 * MiB) + 4096), "whole MiB"),
        ("region past the end", b => Region(b, 32, 0x4000_0000), "does not fit"),
        ("region far past the end", b => Region(b, 36, 0x7fff_ffff), "whole MiB"),
        ("region on the log", b => Region(b, 32, MiB), "lies on"),
        ("region on another", b => Region(b, 32, 2 * MiB), "lies on"),
        ("region of no length", b => Region(b, 40, 0), "0 bytes long"),
        ("no metadata", b => b.At(2 * MiB)[0] = 0, "no metadata table"),
        ("metadata too many", b => BinaryPrimitives.WriteUInt16LittleEndian(b.At((2 * MiB) + 10), 2048), "no metadata table"),
        ("metadata item past its region", b => Metadata(b, 1, 16, 0xffff_fff0), "metadata region"),
        ("metadata item too long", b => Metadata(b, 1, 20, 0xffff_ffff), "metadata region"),
        ("metadata item on the table", b => Metadata(b, 1, 16, 100), "metadata region"),
        ("metadata item too short", b => Metadata(b, 2, 20, 4), "only 4 bytes"),
        ("metadata item missing", b => Metadata(b, 2, 24, 1), "virtual disk size is missing"),
        ("metadata of a user, needed", b => Metadata(b, 2, 24, 5), "user's metadata"),
        ("metadata unknown and needed", b => Metadata(b, 2, 0, 0x1234), "does not know"),
        ("incomplete file", b => Guid.Parse("71cc85f0-1b69-4e28-9558-c3bf83ae75d3").ToByteArray().CopyTo(b.At((2 * MiB) + 96)), "not complete"),
        ("block size 0", b => Value(b, 0, 0), "blocks of 0 bytes"),
        ("block size no power of two", b => Value(b, 0, 3 * MiB), "blocks of 3145728 bytes"),
        ("block size too large", b => Value(b, 0, 512 * MiB), "blocks of 536870912 bytes"),
        ("disk size 0", b => BinaryPrimitives.WriteUInt64LittleEndian(b.At((2 * MiB) + (64 << 10) + 8), 0), "disk size is 0"),
        ("disk size odd", b => BinaryPrimitives.WriteUInt64LittleEndian(b.At((2 * MiB) + (64 << 10) + 8), 1000), "number of sectors"),
        ("disk size too large", b => BinaryPrimitives.WriteUInt64LittleEndian(b.At((2 * MiB) + (64 << 10) + 8), ulong.MaxValue), "limit"),
        ("disk larger than its table", b => BinaryPrimitives.WriteUInt64LittleEndian(b.At((2 * MiB) + (64 << 10) + 8), 64UL << 40), "has room for"),
        ("sector size", b => Value(b, 32, 1024), "512 or 4096"),
    ];

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Field_that_lies_is_named(string name)
    {
        (_, Action<VhdxBuilder> change, string message) = Cases.Single(one => one.Name == name);
        var builder = new VhdxBuilder(3 * MiB);
        change(builder);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VhdxDisk.Open(new MemoryStorage(builder.Bytes, "hostile.vhdx"), _ => throw new InvalidOperationException()));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.vhdx", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4UL, "state 4")]
    [InlineData(5UL, "state 5")]
    [InlineData(7UL, "only a disk with a parent")]
    [InlineData(6UL, "the headers")]
    [InlineData((1UL << 20) | 6, "the log")]
    [InlineData((2UL << 20) | 6, "the metadata")]
    [InlineData((3UL << 20) | 6, "the block allocation table")]
    [InlineData((4UL << 20) | 6, "does not fit")]
    [InlineData(0xffff_ffff_fff0_0006UL, "does not fit")]
    [InlineData((4UL << 20) | 8 | 6, "reserved")]
    public void Entry_that_lies_costs_its_block_alone(ulong entry, string message)
    {
        var builder = new VhdxBuilder(3 * MiB);
        BinaryPrimitives.WriteUInt64LittleEndian(builder.At(VhdxBuilder.TableOffset + 8), entry);
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => throw new InvalidOperationException());
        byte[] part = new byte[10];
        Assert.Equal(10, disk.Read(0, part));
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => disk.Read(MiB, part)).Message, StringComparison.Ordinal);
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => disk.GetExtents().Count()).Message, StringComparison.Ordinal);
        Assert.Equal(2 * MiB, disk.DamageEnd(MiB + 5));
        Assert.Equal(10, disk.Read(2 * MiB, part));
    }

    [Fact]
    public void Partly_present_block_needs_its_bitmap()
    {
        var builder = new VhdxBuilder(MiB, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}")]);
        builder.Put(0, 7, new byte[MiB]);
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => RawDisk.Open(new MemoryStorage([])));
        Assert.Contains("bitmap", Assert.Throws<Qcow2Exception>(() => disk.Read(0, new byte[10])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bitmap_that_changes_with_every_sector_is_not_read_over_and_over()
    {
        const int Size = 32 * MiB;
        var builder = new VhdxBuilder(Size, Size, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}")]);
        builder.Put(0, 7, []);
        builder.PutBitmap(0).Fill(0x55);
        var storage = new MemoryStorage(builder.Bytes);
        long read = 0;
        using VhdxDisk disk = VhdxDisk.Open(storage, _ => RawDisk.Open(new MemoryStorage([])));
        storage.BeforeRead = (_, length) => read += length;
        Assert.Equal(Size / 512, disk.GetExtents().Count());
        Assert.InRange(read, 1, (long)(Size / 512) * 600);
    }

    [Theory]
    [InlineData(18, 257, "pairs")]
    [InlineData(20, 0x7fff_fff0, "said to lie")]
    [InlineData(28, 0x0000_ffff, "said to lie")]
    [InlineData(0, 1, "does not know")]
    public void Parent_locator_that_lies_is_refused(int at, int value, string message)
    {
        var builder = new VhdxBuilder(MiB, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}"), ("relative_path", "a")]);
        int locator = (2 * MiB) + BinaryPrimitives.ReadInt32LittleEndian(builder.At((2 * MiB) + (6 * 32) + 16));
        BinaryPrimitives.WriteInt32LittleEndian(builder.At(locator + at), value);
        Assert.Contains(
            message, Assert.Throws<Qcow2Exception>(() => VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => RawDisk.Open(new MemoryStorage([])))).Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// Random bytes of all structures, summed again so that they get past the sums. The long form: QCOW2_FUZZ_ROUNDS rounds.
    /// </summary>
    [Fact]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 400;
        var builder = new VhdxBuilder(5 * MiB, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}"), ("relative_path", @".\a.vhdx")]);
        builder.Put(0, 6, new byte[MiB]);
        builder.Put(2, 7, new byte[MiB]);
        builder.PutBitmap(0);
        builder.WriteHeaders(VhdxBuilder.LogGuid, 7);
        int next = builder.Log(0, 5, 0, [(4 * MiB, new byte[4096], 0), (3 * MiB, builder.At(3 * MiB).Slice(0, 4096).ToArray(), 0)]);
        builder.Log(next, 6, 0, [(5 * MiB, null, 8192)]);
        byte[] sound = [.. builder.Bytes];
        (int Start, int Length)[] structures =
            [(64 << 10, 80), (128 << 10, 80), (192 << 10, 80), (MiB, 160), (MiB + 4096, 16), (2 * MiB, 224), ((2 * MiB) + (64 << 10), 250), (3 * MiB, 48)];
        int opened = 0;
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            sound.CopyTo(builder.Bytes, 0);
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                (int start, int length) = structures[random.Next(structures.Length)];
                builder.At(start + random.Next(length))[0] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(1 << random.Next(8)) };
            }

            builder.SealHeaders();
            VhdxBuilder.Seal(builder.At(192 << 10).Slice(0, 64 << 10), 4);
            int entryLength = BinaryPrimitives.ReadInt32LittleEndian(builder.At(MiB + 8));
            if (entryLength is > 64 and <= MiB)
            {
                VhdxBuilder.Seal(builder.At(MiB).Slice(0, entryLength), 4);
            }

            try
            {
                using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), _ => RawDisk.Open(new MemoryStorage(new byte[3 * MiB])));
                opened++;
                byte[] part = new byte[MiB];
                for (long offset = 0; offset < Math.Min(disk.Length, 32 * MiB); offset += part.Length)
                {
                    disk.Read(offset, part);
                }

                Assert.NotEmpty(disk.GetExtents().Take(100));
            }
            catch (Qcow2Exception)
            {
            }
        }

        Assert.InRange(opened, rounds / 10, rounds);
    }

    internal static void Region(VhdxBuilder builder, int at, long value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(builder.At((192 << 10) + at), (uint)value);
        BinaryPrimitives.WriteUInt32LittleEndian(builder.At((256 << 10) + at), (uint)value);
        builder.SealRegionTables();
    }

    internal static void Metadata(VhdxBuilder builder, int entry, int at, uint value)
        => BinaryPrimitives.WriteUInt32LittleEndian(builder.At((2 * MiB) + (entry * 32) + at), value);

    internal static void Value(VhdxBuilder builder, int at, int value)
        => BinaryPrimitives.WriteInt32LittleEndian(builder.At((2 * MiB) + (64 << 10) + at), value);
}
