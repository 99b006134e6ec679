using System.Security.Cryptography;
using Qcow2.Engine.Formats.Vhdx;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>What a VHDX file shows: by hand-made files, by qemu-img's, by other programs'.</summary>
public sealed class VhdxDiskTests
{
    private const int MiB = 1 << 20;

    /// <summary>The parent of no disk: no test that uses it has one.</summary>
    private static VirtualDisk NoParent(VhdxParentLocator locator) => throw new InvalidOperationException("There is no parent.");

    [Theory]
    [InlineData(1, MiB, 512)]
    [InlineData(2, MiB, 4096)]
    [InlineData(3, 2 * MiB, 512)]
    [InlineData(4, 4 * MiB, 4096)]
    public void Every_state_shows_what_it_says(int seed, int blockSize, int sectorSize)
    {
        var random = new Random(seed);
        long size = (7L * blockSize) + (3 * sectorSize);
        var builder = new VhdxBuilder(size, blockSize, sectorSize);
        byte[] expected = new byte[size];
        int[] states = [6, 0, 1, 2, 3, 6, 6, 6];
        for (int block = 0; block < states.Length; block++)
        {
            byte[] data = new byte[blockSize];
            random.NextBytes(data);
            builder.SetEntry(block, states[block], 0);
            if (states[block] == 6)
            {
                builder.Put(block, 6, data);
                data.AsSpan(0, (int)Math.Min(blockSize, size - ((long)block * blockSize))).CopyTo(expected.AsSpan(block * blockSize));
            }
        }

        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), NoParent);
        AssertShows(expected, disk, random);
        Assert.Equal(
            [ExtentKind.Data, ExtentKind.Unallocated, ExtentKind.Zero, ExtentKind.Data],
            disk.GetExtents().Select(extent => extent.Kind).Where((kind, i) => i < 4));
        Assert.Equal((sectorSize, 4096, "by hand"), (disk.File.Metadata.LogicalSectorSize, disk.File.Metadata.PhysicalSectorSize, disk.File.Creator));
    }

    [Theory]
    [InlineData(1, MiB, 512)]
    [InlineData(2, 4 * MiB, 512)]
    [InlineData(3, 2 * MiB, 4096)]
    public void Differences_are_taken_sector_by_sector(int seed, int blockSize, int sectorSize)
    {
        var random = new Random(seed);
        long size = (6L * blockSize) + (5 * sectorSize);
        byte[] parentBytes = new byte[size - sectorSize];
        random.NextBytes(parentBytes);
        byte[] expected = new byte[size];
        parentBytes.CopyTo(expected, 0);

        var builder = new VhdxBuilder(size, blockSize, sectorSize, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}"), ("relative_path", @".\parent.vhdx")]);
        Span<byte> bitmap = default;
        int[] states = [7, 0, 2, 6, 7, 3, 7];
        for (int block = 0; block < states.Length; block++)
        {
            byte[] data = new byte[blockSize];
            random.NextBytes(data);
            long start = (long)block * blockSize;
            int length = (int)Math.Min(blockSize, size - start);
            builder.SetEntry(block, states[block], 0);
            if (states[block] is 2 or 3)
            {
                expected.AsSpan((int)start, length).Clear();
            }
            else if (states[block] is 6 or 7)
            {
                builder.Put(block, states[block], data);
                if (states[block] == 6)
                {
                    data.AsSpan(0, length).CopyTo(expected.AsSpan((int)start));
                }
            }
        }

        long sectors = blockSize / sectorSize;
        bitmap = builder.PutBitmap(0);
        for (int block = 0; block < states.Length; block++)
        {
            for (long sector = 0; states[block] == 7 && sector < sectors; sector++)
            {
                long bit = (block * sectors) + sector;
                if (random.Next(3) > 0 && random.Next(20) > 0)
                {
                    continue;
                }

                bitmap[(int)(bit / 8)] |= (byte)(1 << (int)(bit % 8));
                long at = (block * (long)blockSize) + (sector * sectorSize);
                if (at < size)
                {
                    long host = (long)(BitConverter.ToUInt64(builder.At(VhdxBuilder.EntryAt(block, builder.ChunkRatio))) >> 20) << 20;
                    builder.At(host + (sector * sectorSize)).Slice(0, (int)Math.Min(sectorSize, size - at)).CopyTo(expected.AsSpan((int)at));
                }
            }
        }

        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), locator =>
        {
            Assert.Equal((@".\parent.vhdx", VhdxBuilder.DataWriteGuid), (locator.RelativePath, locator.Linkages.Single()));
            return RawDisk.Open(new MemoryStorage(parentBytes));
        });
        AssertShows(expected, disk, random);
    }

    [Fact]
    public void Parent_that_changed_is_refused()
    {
        byte[] parent = new VhdxBuilder(MiB).Bytes;
        byte[] child = new VhdxBuilder(MiB, parent: [("parent_linkage", "{12345678-1234-1234-1234-123456789abc}")]).Bytes;
        var storage = new MemoryStorage(parent, "parent.vhdx");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(
            () => VhdxDisk.Open(new MemoryStorage(child), _ => VhdxDisk.Open(storage, NoParent)));
        Assert.Contains("'parent.vhdx' was changed after", error.Message, StringComparison.Ordinal);
        Assert.True(storage.IsDisposed);

        byte[] other = new VhdxBuilder(MiB, parent: [("parent_linkage", "{0}"), ("parent_linkage2", $"{{{VhdxBuilder.DataWriteGuid}}}")]).Bytes;
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(other), _ => VhdxDisk.Open(new MemoryStorage(parent), NoParent));
        Assert.Equal(MiB, disk.Length);
    }

    [Fact]
    public void Second_header_and_second_region_table_will_do()
    {
        var builder = new VhdxBuilder(MiB);
        builder.Put(0, 6, Enumerable.Repeat((byte)9, MiB).ToArray());
        builder.At((128 << 10) + 100)[0] ^= 1;
        builder.At((192 << 10) + 5000)[0] ^= 1;
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(builder.Bytes), NoParent);
        byte[] content = new byte[MiB];
        disk.Read(0, content);
        Assert.Equal(-1, content.AsSpan().IndexOfAnyExcept((byte)9));
        Assert.Equal(2, disk.File.Problems.Count);
        Assert.Equal(7UL, disk.File.Header.Sequence);
    }

    [QemuFact]
    public void What_qemu_img_writes_is_read()
    {
        using var folder = new TempFolder();
        string raw = folder.File("disk.raw");
        byte[] content = new byte[(48 << 20) + 512];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 5 << 20));
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(raw, content);
        foreach (string options in new[] { "subformat=dynamic", "subformat=dynamic,block_size=1M", "subformat=fixed", "subformat=dynamic,block_state_zero=off,log_size=2M" })
        {
            string path = folder.File("disk.vhdx");
            QemuImg.Run("convert", "-f", "raw", "-O", "vhdx", "-o", options, raw, path);
            using VhdxDisk disk = VhdxDisk.Open(LocalFile.OpenRead(path), NoParent);
            AssertShows(content, disk, new Random(7));
        }
    }

    [SampleFact]
    public void Samples_of_other_programs_show_their_disks()
    {
        AssertSum("iotest-dynamic-1G", "d3d112d8dab7fd360609f7d5a7b769904b7a2a7d7b6b8c535f65a23293c05478");
        AssertSum("discutils-vhdx-log-replay", "3ba3b309425b7ff5e8e0199edceed95226250f880c53b24e8eae93865f3fad5e");
        AssertSum("discutils-btrfs", "0b959f9cb4e18348ad8b646f152178282542c8304f02fddf765e3fd1a1de6864");
        AssertSum("velociraptor-test", "762ca4030df6cf834f5121ed2ecf52fe6cfd3294673406867ef94b9e0990143e");
    }

    /// <summary>The logs of two samples of 10 GiB: sums of so much take their time, the written part alone does not.</summary>
    [SampleFact]
    public void Log_of_a_sample_is_replayed()
    {
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(Samples.Read("vhdx/iotest-dirtylog-10G-4M.vhdx.gz")), NoParent);
        Assert.Equal((10L << 30, true), (disk.Length, disk.File.Header.HasLog));
        Assert.Contains(disk.GetExtents(), extent => extent.Kind == ExtentKind.Data);
    }

    [SampleFact]
    public void Differencing_sample_names_its_parent_and_tells_what_it_has()
    {
        string locator = "";
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(Samples.Read("vhdx/dissect-differencing.avhdx.gz")), found =>
        {
            locator = found.RelativePath!;
            return RawDisk.Open(new MemoryStorage([]));
        });
        Assert.EndsWith("vhdx", locator, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(8L << 30, disk.Length);
        Assert.Contains(disk.GetExtents(), extent => extent.Kind == ExtentKind.Data && extent.Length < disk.File.Metadata.BlockSize);
    }

    internal static void AssertShows(byte[] expected, VirtualDisk disk, Random random)
    {
        Assert.Equal(expected.Length, disk.Length);
        byte[] content = new byte[expected.Length];
        disk.Read(0, content);
        Assert.True(expected.AsSpan().SequenceEqual(content), $"differs from 0x{expected.AsSpan().CommonPrefixLength(content):x} on");
        for (int i = 0; i < 200; i++)
        {
            int offset = random.Next(expected.Length);
            byte[] part = new byte[Math.Min(random.Next(1, 200_000), expected.Length - offset)];
            disk.Read(offset, part);
            Assert.True(expected.AsSpan(offset, part.Length).SequenceEqual(part), $"{part.Length} bytes at 0x{offset:x}");
        }

        long position = 0;
        foreach (DiskExtent extent in disk.GetExtents())
        {
            Assert.Equal(position, extent.Offset);
            position = extent.End;
            if (extent.Kind != ExtentKind.Data)
            {
                Assert.Equal(-1, expected.AsSpan((int)extent.Offset, (int)extent.Length).IndexOfAnyExcept((byte)0));
            }
        }

        Assert.Equal(disk.Length, position);
    }

    private static void AssertSum(string name, string sum)
    {
        using VhdxDisk disk = VhdxDisk.Open(new MemoryStorage(Samples.Read($"vhdx/{name}.vhdx.gz")), NoParent);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[4 * MiB];
        for (long offset = 0; offset < disk.Length; offset += piece.Length)
        {
            hash.AppendData(piece, 0, disk.Read(offset, piece));
        }

        Assert.Equal((name, sum), (name, Convert.ToHexStringLower(hash.GetHashAndReset())));
    }
}
