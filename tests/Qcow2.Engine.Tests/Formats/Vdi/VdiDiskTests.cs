using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Formats.Vdi;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Vhdx;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vdi;

/// <summary>What VDI files show: by hand-made ones, by qemu-img's, by VirtualBox's.</summary>
public sealed class VdiDiskTests
{
    private const int MiB = 1 << 20;
    private const uint Free = uint.MaxValue;
    private const uint Zero = uint.MaxValue - 1;

    private static readonly Guid ParentId = new("11111111-2222-3333-4444-555555555555");
    private static readonly Guid ParentModificationId = new("66666666-7777-8888-9999-aaaaaaaaaaaa");

    private static VirtualDisk NoParent(VdiHeader header) => throw new InvalidOperationException();

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(2, 2, 0)]
    [InlineData(3, 1, 512)]
    public void Blocks_lie_where_the_map_says(int seed, int type, int extra)
    {
        var random = new Random(seed);
        uint[] map = type == 2 ? [0, 1, 2, 3, 4] : [2, Free, 0, Zero, 1];
        (byte[] file, byte[] expected) = Build(random, map, type, extra, (5 * MiB) - 1024);
        using VdiDisk disk = VdiDisk.Open(new MemoryStorage(file), NoParent);
        VhdxDiskTests.AssertShows(expected, disk, random);
        ExtentKind[] kinds = [.. disk.GetExtents().Select(extent => extent.Kind)];
        Assert.Equal(
            type == 2 ? [ExtentKind.Data] : [ExtentKind.Data, ExtentKind.Unallocated, ExtentKind.Data, ExtentKind.Zero, ExtentKind.Data],
            kinds);
    }

    [Fact]
    public void Differences_are_laid_over_the_parent_that_the_caller_names()
    {
        var random = new Random(4);
        (byte[] file, byte[] expected) = Build(random, [0, Free, Zero, 1, Free], 4, 0, 5 * MiB);
        ParentId.ToByteArray().CopyTo(file, 424);
        ParentModificationId.ToByteArray().CopyTo(file, 440);
        (byte[] parent, byte[] below) = Build(random, [0, 1, 2, 3, Free], 1, 0, 5 * MiB);
        ParentId.ToByteArray().CopyTo(parent, 392);
        ParentModificationId.ToByteArray().CopyTo(parent, 408);
        below.AsSpan(MiB, MiB).CopyTo(expected.AsSpan(MiB));
        using (VdiDisk disk = VdiDisk.Open(new MemoryStorage(file), _ => VdiDisk.Open(new MemoryStorage(parent), NoParent)))
        {
            VhdxDiskTests.AssertShows(expected, disk, random);
        }

        parent[408] ^= 1;
        Assert.Contains("was changed after", Assert.Throws<Qcow2Exception>(() => VdiDisk.Open(new MemoryStorage(file), _ => VdiDisk.Open(new MemoryStorage(parent), NoParent))).Message, StringComparison.Ordinal);
        parent[392] ^= 1;
        var storage = new MemoryStorage(parent, "other.vdi");
        Assert.Contains("another disk", Assert.Throws<Qcow2Exception>(() => VdiDisk.Open(new MemoryStorage(file), _ => VdiDisk.Open(storage, NoParent))).Message, StringComparison.Ordinal);
        Assert.True(storage.IsDisposed);
    }

    [Theory]
    [InlineData(64, 0U, "no VDI file")]
    [InlineData(68, 0x0002_0000U, "version 2.0")]
    [InlineData(76, 3U, "undo")]
    [InlineData(76, 0U, "type 0")]
    [InlineData(76, 5U, "type 5")]
    [InlineData(340, 100U, "block map")]
    [InlineData(340, 0xffff_fff0U, "block map")]
    [InlineData(344, 0U, "in the block map")]
    [InlineData(360, 4096U, "sectors of 4096")]
    [InlineData(376, 0U, "blocks of 0")]
    [InlineData(376, 3U << 20, "blocks of 3145728")]
    [InlineData(380, 0xffff_ffffU, "before each block")]
    [InlineData(380, 100U, "before each block")]
    [InlineData(384, 4U, "needs 5")]
    [InlineData(384, 0xffff_ffffU, "map of the VDI file has")]
    [InlineData(372, 0x7fff_ffffU, "limit")]
    [InlineData(372, 0x0000_0100U, "needs")]
    public void Header_that_lies_is_refused(int at, uint value, string message)
    {
        (byte[] file, _) = Build(new Random(1), [0, 1, Free, Free, Free], 1, 0, 5 * MiB);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VdiDisk.Open(new MemoryStorage(file, "hostile.vdi"), NoParent));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.vdi", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2U)]
    [InlineData(5U)]
    [InlineData(0xffff_fffdU)]
    public void Entry_that_lies_costs_its_block_alone(uint entry)
    {
        (byte[] file, byte[] expected) = Build(new Random(1), [0, 1, Free, Free, Free], 1, 0, 5 * MiB);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(MiB + 4), entry);
        using VdiDisk disk = VdiDisk.Open(new MemoryStorage(file), NoParent);
        byte[] part = new byte[100];
        disk.Read(100, part);
        Assert.Equal(expected[100..200], part);
        Assert.Contains("Block 1 of", Assert.Throws<Qcow2Exception>(() => disk.Read(MiB, part)).Message, StringComparison.Ordinal);
        Assert.Equal(2 * MiB, disk.DamageEnd(MiB));
    }

    /// <summary>Random bytes of header and map. The long form: QCOW2_FUZZ_ROUNDS rounds.</summary>
    [Fact]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 500;
        (byte[] sound, _) = Build(new Random(1), [0, 1, Free, Zero, 2], 1, 0, 5 * MiB);
        int opened = 0;
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            byte[] file = [.. sound];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(2) == 0 ? 64 + random.Next(400) : MiB + random.Next(20);
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }

            try
            {
                using VdiDisk disk = VdiDisk.Open(new MemoryStorage(file), _ => RawDisk.Open(new MemoryStorage(new byte[100])));
                opened++;
                byte[] part = new byte[MiB];
                for (long offset = 0; offset < Math.Min(disk.Length, 8 * MiB); offset += part.Length)
                {
                    disk.Read(offset, part);
                }

                Assert.True(disk.GetExtents().Take(100).Any() || disk.Length == 0);
            }
            catch (Qcow2Exception)
            {
            }
        }

        Assert.InRange(opened, rounds / 10, rounds);
    }

    [QemuFact]
    public void What_qemu_img_writes_is_read()
    {
        using var folder = new TempFolder();
        string raw = folder.File("disk.raw");
        byte[] content = new byte[(20 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 3 << 20));
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(raw, content);
        foreach (string options in new[] { "static=off", "static=on" })
        {
            string path = folder.File("disk.vdi");
            QemuImg.Run("convert", "-f", "raw", "-O", "vdi", "-o", options, raw, path);
            using VdiDisk disk = VdiDisk.Open(LocalFile.OpenRead(path), NoParent);
            VhdxDiskTests.AssertShows(content, disk, new Random(7));
        }
    }

    [SampleFact]
    public void Samples_of_other_programs_show_the_disks_of_their_manifest()
    {
        DiskAsserts.ShowsManifest("vdi", 1, file => VdiDisk.Open(file, NoParent));
    }

    /// <summary>A file with its map at 1 MiB and its blocks, of a MiB, from 2 MiB on; and its disk, free blocks as zeros.</summary>
    internal static (byte[] File, byte[] Disk) Build(Random random, uint[] map, int type, int extra, long size)
    {
        int allocated = map.Count(entry => entry < Zero);
        byte[] file = new byte[(2 * MiB) + (allocated * (MiB + extra))];
        byte[] disk = new byte[map.Length * MiB];
        "<<< Oracle VM VirtualBox Disk Image >>>\n"u8.CopyTo(file);
        foreach ((int at, uint value) in new[]
            {
                (64, 0xbeda_107fU), (68, 0x0001_0001U), (72, 0x190U), (76, (uint)type), (340, (uint)MiB), (344, 2U * MiB), (360, 512U), (368, (uint)size), (376, (uint)MiB),
                (380, (uint)extra), (384, (uint)map.Length), (388, (uint)allocated),
            })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        }

        for (int i = 0; i < map.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(MiB + (i * 4)), map[i]);
            if (map[i] < Zero)
            {
                Span<byte> block = file.AsSpan((2 * MiB) + ((int)map[i] * (MiB + extra)), MiB + extra);
                random.NextBytes(block);
                block.Slice(extra).CopyTo(disk.AsSpan(i * MiB));
            }
        }

        return (file, disk[..(int)size]);
    }
}
