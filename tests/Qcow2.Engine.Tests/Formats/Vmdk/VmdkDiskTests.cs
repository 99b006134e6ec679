using System.Security.Cryptography;
using System.Text;
using Qcow2.Engine.Formats.Vmdk;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Vhdx;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>What VMDK files show: by hand-made ones, by qemu-img's, by other programs'.</summary>
public sealed class VmdkDiskTests
{
    private const int Sector = VmdkBuilder.Sector;

    private static BlockStorage NoExtent(string name) => throw new InvalidOperationException(name);

    private static VirtualDisk NoParent(VmdkDescriptor descriptor) => throw new InvalidOperationException();

    [Theory]
    [InlineData(1, false, true, true)]
    [InlineData(2, true, true, true)]
    [InlineData(3, true, false, true)]
    [InlineData(4, true, false, false)]
    public void Sparse_file_shows_its_grains(int seed, bool compressed, bool markers, bool footer)
    {
        var random = new Random(seed);
        const int GrainSectors = 8;
        long capacity = (700 * GrainSectors) - 3;
        (BuiltGrain[] grains, byte[][] data, byte[] expected) = Grains(random, 700, GrainSectors, hasZeros: !compressed);
        byte[] descriptor = VmdkBuilder.Descriptor(compressed ? "streamOptimized" : "monolithicSparse", [$"RW {capacity} SPARSE \"some other name.vmdk\""]);
        byte[] file = VmdkBuilder.Sparse(grains, data, GrainSectors, capacity, descriptor, compressed, markers, footer);
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(file), NoExtent, NoParent);
        VhdxDiskTests.AssertShows(expected[..(int)(capacity * Sector)], disk, random);
        Assert.Equal(compressed, disk.GetExtents().First(extent => extent.Kind == ExtentKind.Data).IsCompressed);
    }

    [Fact]
    public void Extents_follow_each_other_whatever_they_are()
    {
        var random = new Random(5);
        (BuiltGrain[] grains, byte[][] data, byte[] sparse) = Grains(random, 40, 8, hasZeros: true);
        (BuiltGrain[] deltaGrains, byte[][] deltaData, byte[] delta) = Grains(random, 50, 1, hasZeros: false);
        byte[] flat = new byte[20 * Sector];
        random.NextBytes(flat);
        var files = new Dictionary<string, byte[]>
        {
            ["a s001.vmdk"] = VmdkBuilder.Sparse(grains, data),
            ["b-flat.vmdk"] = flat,
            ["c-delta.vmdk"] = VmdkBuilder.Cowd(deltaGrains, deltaData, 1),
        };
        byte[] descriptor = VmdkBuilder.Descriptor(
            "custom",
            [
                "RW 320 SPARSE \"a s001.vmdk\"", "RW 3 ZERO", "RDONLY 15 FLAT \"b-flat.vmdk\" 5", "rw 5\tVMFS  \"b-flat.vmdk\"  0  ", "RW 50 VMFSSPARSE \"c-delta.vmdk\"", "RW 0 ZERO", "RW 1 ZERO",
            ]);
        byte[] expected = [.. sparse, .. new byte[3 * Sector], .. flat[(5 * Sector)..], .. flat[..(5 * Sector)], .. delta, .. new byte[Sector]];
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(descriptor), name => new MemoryStorage(files[name], name), NoParent);
        VhdxDiskTests.AssertShows(expected, disk, random);
        Assert.Equal("lsilogic", disk.Descriptor.AdapterType);
        Assert.Contains(disk.GetExtents(), extent => extent.FilePath == "b-flat.vmdk");
    }

    [Theory]
    [InlineData("NOACCESS 4 FLAT \"gone.vmdk\" 0")]
    [InlineData("NOACCESS 4 ZERO")]
    public void What_nobody_may_access_is_an_error_there_alone(string line)
    {
        byte[] descriptor = VmdkBuilder.Descriptor("custom", ["RW 4 ZERO", line, "RW 4 ZERO"]);
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(descriptor), NoExtent, NoParent);
        Assert.Equal(12 * Sector, disk.Length);
        Assert.Equal(4 * Sector, disk.Read(0, new byte[4 * Sector]));
        Assert.Contains("NOACCESS", Assert.Throws<Qcow2Exception>(() => disk.Read(4 * Sector, new byte[1])).Message, StringComparison.Ordinal);
        Assert.Equal(8 * Sector, disk.DamageEnd(4 * Sector));
    }

    [Fact]
    public void Grain_that_is_not_there_is_the_parents()
    {
        var random = new Random(6);
        (BuiltGrain[] grains, byte[][] data, byte[] own) = Grains(random, 30, 8, hasZeros: true);
        byte[] below = new byte[(30 * 8 * Sector) - 700];
        random.NextBytes(below);
        byte[] expected = [.. below, .. new byte[700]];
        for (int i = 0; i < grains.Length; i++)
        {
            if (grains[i] != BuiltGrain.None)
            {
                own.AsSpan(i * 8 * Sector, 8 * Sector).CopyTo(expected.AsSpan(i * 8 * Sector));
            }
        }

        byte[] descriptor = VmdkBuilder.Descriptor("monolithicSparse", ["RW 240 SPARSE \"x.vmdk\""], parentCid: "3ff57a9", more: "parentFileNameHint=\"base.vmdk\"");
        byte[] file = VmdkBuilder.Sparse(grains, data, descriptor: descriptor);
        string? hint = null;
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(file), NoExtent, found =>
        {
            hint = found.ParentFileName;
            return RawDisk.Open(new MemoryStorage(below));
        });
        VhdxDiskTests.AssertShows(expected, disk, random);
        Assert.Equal(("base.vmdk", 0x03ff57a9U), (hint, disk.Descriptor.ParentContentId));
    }

    [Fact]
    public void Parent_that_changed_is_refused()
    {
        byte[] parent = VmdkBuilder.Descriptor("custom", ["RW 8 ZERO"], cid: "aaaaaaaa");
        byte[] child = VmdkBuilder.Descriptor("custom", ["RW 8 ZERO"], parentCid: "bbbbbbbb");
        var storage = new MemoryStorage(parent, "parent.vmdk");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => VmdkDisk.Open(new MemoryStorage(child), NoExtent, _ => VmdkDisk.Open(storage, NoExtent, NoParent)));
        Assert.Contains("its CID is aaaaaaaa, and bbbbbbbb is expected", error.Message, StringComparison.Ordinal);
        Assert.True(storage.IsDisposed);
    }

    [Theory]
    [InlineData("\ufeff# Disk DescriptorFile\r\nversion = 1\r\n CID = 0000ABCD \r\nparentCID=ffffffff\r\n\r\nRW 8 ZERO\r\n")]
    [InlineData("# disk descriptorfile\n#comment\n\ncid=abcd\nRW 8 ZERO")]
    [InlineData("\n \n# Disk DescriptorFile\nCID=\"abcd\"\nparentcid=FFFFFFFF\nRW 8 ZERO \"\"\n\0garbage")]
    public void Descriptors_are_read_as_people_write_them(string text)
    {
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage(Encoding.UTF8.GetBytes(text)), NoExtent, NoParent);
        Assert.Equal((8L * Sector, 0xabcdU, false), (disk.Length, disk.Descriptor.ContentId, disk.Descriptor.HasParent));
    }

    [QemuFact]
    public void What_qemu_img_writes_is_read()
    {
        using var folder = new TempFolder();
        string raw = folder.File("disk.raw");
        byte[] content = new byte[(40 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 5 << 20));
        content.AsSpan(30 << 20, 1 << 20).Fill(7);
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(raw, content);
        foreach (string options in new[]
            {
                "subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on", "subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat", "subformat=streamOptimized",
            })
        {
            string path = folder.File("disk.vmdk");
            QemuImg.Run("convert", "-f", "raw", "-O", "vmdk", "-o", options, raw, path);
            using VmdkDisk disk = VmdkDisk.Open(LocalFile.OpenRead(path), name => LocalFile.OpenRead(folder.File(name)), NoParent);
            VhdxDiskTests.AssertShows(content, disk, new Random(7));
        }
    }

    [QemuFact]
    public void Overlay_of_qemu_img_shows_what_it_does_to_qemu()
    {
        using var folder = new TempFolder();
        QemuImg.Run("create", "-q", "-f", "vmdk", folder.File("base.vmdk"), "8M");
        QemuImg.RunIo("-f", "vmdk", "-c", "write -P 1 1M 3M", folder.File("base.vmdk"));
        QemuImg.RunIn(folder.Path, "create", "-q", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "top.vmdk");
        QemuImg.RunIo("-f", "vmdk", "-c", "write -P 2 2M 64k", "-c", "write -P 3 6M 100k", folder.File("top.vmdk"));
        QemuImg.Run("convert", "-f", "vmdk", "-O", "raw", folder.File("top.vmdk"), folder.File("top.raw"));
        using VmdkDisk disk = VmdkDisk.Open(
            LocalFile.OpenRead(folder.File("top.vmdk")), NoExtent,
            descriptor => VmdkDisk.Open(LocalFile.OpenRead(folder.File(descriptor.ParentFileName!)), NoExtent, NoParent));
        VhdxDiskTests.AssertShows(File.ReadAllBytes(folder.File("top.raw")), disk, new Random(1));
        Assert.Contains(disk.GetExtents(), extent => extent.Depth == 1);
    }

    [SampleFact]
    public void Samples_of_other_programs_show_their_disks()
    {
        const string Stroz = "a3bcf05f07a1c06a3380eeca8571f0efb2b85afafa1e21662b8cad436d1f7727";
        AssertSum("dfvfs-ext2.vmdk", "a6c2f0e39afe6c6ab432ca5465349fcefe8dc944398e97b2d957d3f89dbb5d80");
        AssertSum("plaso-image.vmdk", "854c3db1c4a07a241e2ed9fbd8892adf2adc662c7862a75deed26f3483f414c9");
        AssertSum("stroz-monolithicSparse.vmdk", Stroz);
        AssertSum("stroz-streamOptimized.vmdk", Stroz);
        AssertSum("stroz-twoGbMaxExtentSparse/twoGbMaxExtentSparse.vmdk", Stroz);
        AssertSum("stroz-monolithicFlat/monolithicFlat.vmdk", Stroz);
        AssertSum("stroz-vmfs/vmfs_thick.vmdk", "8d43c795d24bce01b49f92744f934c1072210dcac170bb1c83a5aa56df46ab7d");
        AssertSum("ronin-minimal.vmdk", "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58");
        AssertSum("ronin-tw_sparse/tw_sparse.vmdk", "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8");
        AssertSum("xo-test.vmdk", "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8");
        AssertSum("sesparse-own-descriptor.vmdk", "3afa48010241335528fe402f083fc9f3a1013a49485221443a78d9a8604e2f90");
    }

    [Fact]
    public void Large_and_empty_disks_are_mapped_at_once()
    {
        // A TiB in grains of 64 KiB: a directory of 32,768 entries that lead nowhere.
        byte[] descriptor = VmdkBuilder.Descriptor("monolithicSparse", [$"RW {1L << 31} SPARSE \"x\""]);
        byte[] file = VmdkBuilder.Sparse([BuiltGrain.None], [[]], 128, 1L << 31, descriptor);
        using VmdkDisk disk = VmdkDisk.Open(new MemoryStorage([.. file, .. new byte[32_768 * 4]]), NoExtent, NoParent);
        DiskExtent all = Assert.Single(disk.GetExtents());
        Assert.Equal((1L << 40, ExtentKind.Unallocated), (all.Length, all.Kind));
    }

    [SampleFact]
    public void Samples_that_cannot_be_read_say_why()
    {
        AssertRefused("afl9.vmdk", Qcow2ErrorCode.ImageCorrupt, "VMDK");
        AssertRefused("dissect-sesparse.vmdk", Qcow2ErrorCode.NotQcow2, "one extent of a VMDK disk");
    }

    private static (BuiltGrain[] Grains, byte[][] Data, byte[] Disk) Grains(Random random, int count, int sectors, bool hasZeros)
    {
        var grains = new BuiltGrain[count];
        byte[][] data = new byte[count][];
        byte[] disk = new byte[count * sectors * Sector];
        for (int i = 0; i < count; i++)
        {
            grains[i] = random.Next(4) switch { 0 => BuiltGrain.None, 1 when hasZeros => BuiltGrain.Zero, _ => BuiltGrain.Data };
            data[i] = new byte[sectors * Sector];
            if (grains[i] == BuiltGrain.Data)
            {
                random.NextBytes(data[i].AsSpan(0, random.Next(data[i].Length)));
                data[i].CopyTo(disk, i * data[i].Length);
            }
        }

        return (grains, data, disk);
    }

    private static void AssertSum(string name, string sum)
    {
        using VmdkDisk disk = OpenSample(name);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[4 << 20];
        for (long offset = 0; offset < disk.Length; offset += piece.Length)
        {
            hash.AppendData(piece, 0, disk.Read(offset, piece));
        }

        Assert.Equal((name, sum), (name, Convert.ToHexStringLower(hash.GetHashAndReset())));
    }

    private static void AssertRefused(string name, Qcow2ErrorCode code, string message)
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => OpenSample(name));
        Assert.Equal((name, code), (name, error.Code));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static VmdkDisk OpenSample(string name)
    {
        string folder = Path.GetDirectoryName($"vmdk/{name}")!;
        return VmdkDisk.Open(Sample(Path.GetFileName(name)), Sample, NoParent);

        MemoryStorage Sample(string file) => new(Samples.Read($"{folder}/{file}"), file);
    }
}
