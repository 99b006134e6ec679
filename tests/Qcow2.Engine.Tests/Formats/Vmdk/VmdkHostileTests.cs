using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Formats.Vmdk;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>Files in which one field lies: a clear error, never a crash, a hang or memory in proportion to the lie.</summary>
public sealed class VmdkHostileTests
{
    private const int Sector = VmdkBuilder.Sector;

    private static byte[] Sound(bool compressed = false)
    {
        BuiltGrain[] grains = [BuiltGrain.Data, BuiltGrain.None, BuiltGrain.Data, BuiltGrain.Data];
        byte[][] data = [.. grains.Select((_, i) => Enumerable.Repeat((byte)(i + 1), 8 * Sector).ToArray())];
        return VmdkBuilder.Sparse(grains, data, descriptor: VmdkBuilder.Descriptor("monolithicSparse", ["RW 32 SPARSE \"x.vmdk\""]), compressed: compressed);
    }

    private static VmdkDisk Open(byte[] file)
        => VmdkDisk.Open(new MemoryStorage(file, "hostile.vmdk"), _ => throw new InvalidOperationException(), _ => RawDisk.Open(new MemoryStorage(new byte[100])));

    [Theory]
    [InlineData(4, 4, 4UL, "version 4")]
    [InlineData(8, 4, 0x4_0001UL, "flags 0x00040000")]
    [InlineData(12, 8, ulong.MaxValue, "capacity")]
    [InlineData(20, 8, 0UL, "grains of 0")]
    [InlineData(20, 8, 3UL, "grains of 3")]
    [InlineData(20, 8, 1UL << 40, "grains of")]
    [InlineData(28, 8, ulong.MaxValue, "descriptor")]
    [InlineData(28, 8, 0UL, "one extent of a VMDK disk")]
    [InlineData(28, 8, 5000UL, "names no extent")]
    [InlineData(36, 8, 1UL << 40, "descriptor")]
    [InlineData(44, 4, 0UL, "grain tables")]
    [InlineData(44, 4, 0xffff_ffffUL, "grain tables")]
    [InlineData(56, 8, 1UL << 40, "grain directory")]
    [InlineData(56, 8, ulong.MaxValue, "cut off")]
    [InlineData(73, 4, 0x0a0a_200aUL, "copied as a text")]
    [InlineData(8, 4, 0x1_0001UL, "compressed in the way 0")]
    public void Header_that_lies_is_refused(int at, int length, ulong value, string message)
    {
        byte[] file = Sound();
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.AsSpan(0, length).CopyTo(file.AsSpan(at));
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(file));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.vmdk", error.Message, StringComparison.Ordinal);
    }

    /// <summary>QEMU writes a header with room for a descriptor into each file of a disk in several; sesparse extents have none at all.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_extent_that_is_no_disk_is_no_damaged_one(bool hasRoom)
    {
        byte[] file = Sound();
        int descriptor = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(28)) * Sector;
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(36)) * Sector;
        file.AsSpan(hasRoom ? descriptor : 28, hasRoom ? length : 8).Clear();
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(file));
        Assert.Equal(Qcow2ErrorCode.NotQcow2, error.Code);
        Assert.Contains("Name that file", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1U, "means zeros only")]
    [InlineData(0x00ff_ffffU, "is said to lie")]
    [InlineData(0xffff_ffffU, "is said to lie")]
    public void Entry_that_lies_costs_its_grain_alone(uint entry, string message)
    {
        byte[] file = Sound();
        int directory = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(56)) * Sector;
        int table = (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(directory)) * Sector;
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(table + 8), entry);
        using VmdkDisk disk = Open(file);
        byte[] part = new byte[8 * Sector];
        disk.Read(0, part);
        Assert.Equal(1, part[100]);
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => disk.Read(16 * Sector, part)).Message, StringComparison.Ordinal);
        Assert.Equal(24 * Sector, disk.DamageEnd(16 * Sector));
        disk.Read(24 * Sector, part);
        Assert.Equal(4, part[100]);

        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(directory), 0x7fff_ffff);
        using VmdkDisk lost = Open(file);
        Assert.Contains("grain table", Assert.Throws<Qcow2Exception>(() => lost.Read(0, part)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1, "that of sector")]
    [InlineData(8, 0xff, "cannot be decompressed|check sum|possible|empty")]
    [InlineData(10, 0xff, "bytes, and")]
    [InlineData(12, 1, "no zlib stream")]
    [InlineData(20, 0xff, "decompressed|check sum")]
    public void Compressed_grain_that_is_damaged_is_found_out(int at, int flip, string message)
    {
        byte[] file = Sound(compressed: true);
        int place = 21 * Sector;
        file[place + at] ^= (byte)flip;
        using VmdkDisk disk = Open(file);
        string said = Assert.Throws<Qcow2Exception>(() => disk.Read(0, new byte[10])).Message;
        Assert.Contains(message.Split('|'), part => said.Contains(part, StringComparison.Ordinal));
        Assert.Equal(8 * Sector, disk.DamageEnd(0));
        byte[] last = new byte[10];
        disk.Read(24 * Sector, last);
        Assert.Equal(4, last[0]);
    }

    [Fact]
    public void Stream_whose_end_is_some_bytes_off_is_read()
    {
        byte[] file = Sound(compressed: true);
        byte[] whole = new byte[32 * Sector];
        using (VmdkDisk disk = Open([.. file, .. new byte[700]]))
        {
            disk.Read(0, whole);
        }

        using VmdkDisk cut = Open(file[..^Sector]);
        byte[] content = new byte[32 * Sector];
        cut.Read(0, content);
        Assert.Equal(whole, content);
        Assert.Contains("cut off", Assert.Throws<Qcow2Exception>(() => Open(file[..^(3 * Sector)])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("RW 8 FLAT", "names no file")]
    [InlineData("RW 8 FLAT \"a", "names no file")]
    [InlineData("RW eight FLAT \"a\"", "no number of sectors")]
    [InlineData("RW 99999999999999999999 FLAT \"a\"", "no number of sectors")]
    [InlineData("RW -8 FLAT \"a\"", "no number of sectors")]
    [InlineData("RW 8 FLAT \"a\" x", "no offset")]
    [InlineData("RW 8 HOLE \"a\"", "'HOLE' is not known")]
    [InlineData("RW 8 VMFSRDM \"a\"", "device of an ESXi host")]
    [InlineData("", "names no extent")]
    [InlineData("RW 1125899906842624 ZERO\nRW 1 ZERO", "more than")]
    public void Descriptor_that_cannot_be_understood_is_refused(string lines, string message)
    {
        byte[] text = VmdkBuilder.Descriptor("custom", [lines]);
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => Open(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Flat_extent_that_is_too_short_is_not_filled_up()
    {
        byte[] text = VmdkBuilder.Descriptor("monolithicFlat", ["RW 8 FLAT \"a-flat.vmdk\" 1"]);
        var storage = new MemoryStorage(new byte[8 * Sector], "a-flat.vmdk");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VmdkDisk.Open(new MemoryStorage(text), _ => storage, _ => throw new InvalidOperationException()));
        Assert.Contains("was cut off", error.Message, StringComparison.Ordinal);
        Assert.True(storage.IsDisposed);
    }

    [Fact]
    public void Extents_without_number_are_refused()
    {
        string lines = string.Join('\n', Enumerable.Repeat("RW 1 ZERO", 65_537));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => Open(VmdkBuilder.Descriptor("custom", [lines]))).Code);
    }

    /// <summary>Random bytes of headers, tables, descriptors and grains. The long form: QCOW2_FUZZ_ROUNDS rounds.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error(bool compressed)
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 1_000;
        byte[] sound = Sound(compressed);
        int opened = 0;
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            byte[] file = [.. sound];
            for (int i = random.Next(1, 5); i > 0; i--)
            {
                int at = random.Next(4) switch { 0 => random.Next(80), 1 => Sector + random.Next(300), 2 => file.Length - 1 - random.Next(5000), _ => random.Next(file.Length) };
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }

            try
            {
                using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(file), _ => new MemoryStorage([]), _ => RawDisk.Open(new MemoryStorage(new byte[100])));
                opened++;
                byte[] part = new byte[64 * 1024];
                for (long offset = 0; offset < Math.Min(disk.Length, 1 << 20); offset += part.Length)
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
}
