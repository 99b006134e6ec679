using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Vmdk;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>New VMDK disks, as VMware's programs lay them out, and what they are refused for. What they show is tested with all files of blocks.</summary>
public sealed class VmdkWritingTests : IDisposable
{
    private const int Sector = 512;
    private const int Grain = 64 << 10;
    private const int MiB = 1 << 20;
    private const long GiB = 1L << 30;
    private const long TiB = 1L << 40;
    private const long ExtentSize = 2047L * MiB;

    private readonly TempFolder _folder = new();

    public static TheoryData<VmdkCreateType> Types => [.. Enum.GetValues<VmdkCreateType>()];

    public static TheoryData<VmdkCreateType> TypesWithExtents => [VmdkCreateType.MonolithicFlat, VmdkCreateType.VmfsFlat, VmdkCreateType.TwoGbMaxExtentFlat, VmdkCreateType.TwoGbMaxExtentSparse];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Descriptor_is_VMwares()
    {
        byte[] file = Convert(new byte[3 << 20], new VmdkCreateOptions { NewId = Ids() });
        Assert.Equal(
            """
            # Disk DescriptorFile
            version=1
            encoding="UTF-8"
            CID=08090a0b
            parentCID=ffffffff
            createType="monolithicSparse"

            # Extent description
            RW 6144 SPARSE "disk.vmdk"

            # The Disk Data Base 
            #DDB

            ddb.adapterType = "lsilogic"
            ddb.geometry.cylinders = "3"
            ddb.geometry.heads = "64"
            ddb.geometry.sectors = "32"
            ddb.longContentID = "00000001000200030405060708090a0b"
            ddb.toolsInstallType = "4"
            ddb.toolsVersion = "2147483647"
            ddb.uuid = "60 00 C2 90 02 00 03 00-04 05 06 07 08 09 0a 0b"
            ddb.virtualHWVersion = "10"

            """.ReplaceLineEndings("\n"),
            Encoding.UTF8.GetString(file, Sector, 20 * Sector).TrimEnd('\0'));
    }

    [Theory]
    [InlineData(VmdkCreateType.MonolithicSparse, "monolithicSparse", "RW 3 SPARSE \"a b.vmdk\"")]
    [InlineData(VmdkCreateType.StreamOptimized, "streamOptimized", "RW 3 SPARSE \"a b.vmdk\"")]
    [InlineData(VmdkCreateType.MonolithicFlat, "monolithicFlat", "RW 3 FLAT \"a b-flat.vmdk\" 0")]
    [InlineData(VmdkCreateType.VmfsFlat, "vmfs", "RW 3 VMFS \"a b-flat.vmdk\"")]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, "twoGbMaxExtentSparse", "RW 3 SPARSE \"a b-s001.vmdk\"")]
    [InlineData(VmdkCreateType.TwoGbMaxExtentFlat, "twoGbMaxExtentFlat", "RW 3 FLAT \"a b-f001.vmdk\" 0")]
    public void Descriptor_names_the_files(VmdkCreateType type, string createType, string line)
    {
        string path = _folder.File("a b.vmdk");
        new VmdkCreateOptions { CreateType = type }.CreateFile(path, 1025, overwrite: false, null, default);
        byte[] start = File.ReadAllBytes(path);
        string text = Encoding.UTF8.GetString(start[0] == '#' ? start : start[Sector..(21 * Sector)]);
        Assert.Contains($"\ncreateType=\"{createType}\"\n\n# Extent description\n{line}\n\n# The Disk Data Base \n#DDB\n", text, StringComparison.Ordinal);
        Qcow2ImageInfo info = DiskFormats.Get("vmdk").ReadInformation(path);
        Assert.Equal((1536L, createType), (info.Size, info.Subformat));
    }

    /// <summary>A content's id that stands for no disk, or for one that was never written, is not given.</summary>
    [Theory]
    [InlineData("ffffffff")]
    [InlineData("fffffffe")]
    public void Ids_that_mean_something_else_are_not_given(string end)
    {
        byte[] file = Convert([], new VmdkCreateOptions { NewId = () => new Guid($"11111111-2222-3333-4444-5555{end}") });
        Assert.Contains("\nCID=fffffff0\n", Encoding.UTF8.GetString(file, Sector, 20 * Sector), StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_are_new_each_time()
    {
        string[] ids = [.. Enumerable.Range(0, 3).Select(_ => Encoding.UTF8.GetString(Convert([], new VmdkCreateOptions()), Sector, 20 * Sector))
            .SelectMany(text => text.Split('\n').Where(line => line.StartsWith("CID", StringComparison.Ordinal) || line.StartsWith("ddb.uuid", StringComparison.Ordinal)))];
        Assert.Equal(6, ids.Distinct().Count());
    }

    /// <summary>Of disks by Workstation and ESXi.</summary>
    [Theory]
    [InlineData(VmdkAdapterType.LsiLogic, 4096L, "2 64 32")]
    [InlineData(VmdkAdapterType.LsiLogic, 125_829_120L, "7832 255 63")]
    [InlineData(VmdkAdapterType.BusLogic, 2_097_151L, "1023 64 32")]
    [InlineData(VmdkAdapterType.BusLogic, 2_097_152L, "512 128 32")]
    [InlineData(VmdkAdapterType.LsiLogic, 4_194_304L, "261 255 63")]
    [InlineData(VmdkAdapterType.Ide, 8192L, "8 16 63")]
    [InlineData(VmdkAdapterType.Ide, 125_829_120L, "16383 16 63")]
    [InlineData(VmdkAdapterType.Ide, 0L, "1 16 63")]
    public void Geometry_is_VMwares(VmdkAdapterType adapter, long sectors, string geometry)
    {
        var found = VmdkNewGeometry.Of(sectors, adapter);
        Assert.Equal(geometry, $"{found.Cylinders} {found.Heads} {found.Sectors}");
    }

    [Theory]
    [InlineData(VmdkAdapterType.LsiLogic, "lsilogic")]
    [InlineData(VmdkAdapterType.Ide, "ide")]
    [InlineData(VmdkAdapterType.BusLogic, "buslogic")]
    public void Adapter_is_recorded(VmdkAdapterType adapter, string name)
    {
        Convert(new byte[MiB], new VmdkCreateOptions { AdapterType = adapter });
        Assert.Equal(name, DiskFormats.Get("vmdk").ReadInformation(_folder.File("disk.vmdk")).Vmdk!.AdapterType);
    }

    /// <summary>Data on both sides of where a table ends, at 32 MiB, and a part of a grain at the end.</summary>
    [Fact]
    public void Sparse_file_has_both_directories_and_aligned_grains()
    {
        const int Size = (66 * MiB) + (3 * Sector);
        byte[] content = new byte[Size];
        int[] grains = [0, 511, 512, 700, 1056];
        foreach (int grain in grains)
        {
            content[grain * Grain] = (byte)((grain % 250) + 1);
        }

        byte[] file = Convert(content, new VmdkCreateOptions());

        Assert.Equal("KDMV"u8, file.AsSpan(0, 4));
        Assert.Equal(
            [
                1, 3, Size / Sector, 0, 128, 0, 1, 0, 20, 0, 512, // version, flags, capacity, grain, descriptor, its length, entries
                21, 0, 21 + 1 + 12, 0, 128, 0, // copy of the directory, directory, grains
            ],
            Words(file, 4, 17));
        Assert.Equal(new byte[] { 0, 0x0a, 0x20, 0x0d, 0x0a, 0, 0 }, file[72..79]);
        Assert.Equal([22, 26, 30, 0], Words(file, 21 * Sector, 4));
        Assert.Equal([35, 39, 43, 0], Words(file, 34 * Sector, 4));
        uint[] entries = Words(file, 35 * Sector, 3 * 512);
        Assert.Equal(Words(file, 22 * Sector, 3 * 512), entries);
        Assert.Equal(grains.Select((grain, i) => (grain, (uint)(128 * (i + 1)))), entries.Select((entry, grain) => (grain, entry)).Where(pair => pair.entry != 0));
        Assert.Equal((grains.Length + 1) * Grain, file.Length);
        Assert.All(grains, grain => Assert.Equal((byte)((grain % 250) + 1), file[entries[grain] * Sector]));
    }

    /// <summary>More than a page of tables, and tables with nothing in them.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(40)]
    public void Large_sparse_disk_leads_to_every_grain(int gibibytes)
    {
        long size = (gibibytes * GiB) + Sector;
        long[] places = [0, GiB - Sector, GiB, (4 * GiB) + Sector, size - Sector];
        foreach (VmdkCreateType type in (VmdkCreateType[])[VmdkCreateType.MonolithicSparse, VmdkCreateType.StreamOptimized])
        {
            string path = Copy(size, places, type);
            Assert.InRange(new FileInfo(path).Length, 5 * Sector, 8L * MiB);
        }
    }

    /// <summary>Directory and tables are there from the start, of a disk of 2 TiB 33 million entries: who looks at each of them takes half a minute.</summary>
    [Fact]
    public void Tables_with_nothing_in_them_are_passed_over()
    {
        string path = _folder.File("disk.vmdk");
        VmdkCreateOptions.Default.CreateFile(path, 2000 * GiB, overwrite: false, null, default);
        using VirtualDisk disk = DiskFormats.Get("vmdk").Open(path);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(ExtentKind.Unallocated, Assert.Single(disk.GetExtents()).Kind);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
    }

    [Theory]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, 's')]
    [InlineData(VmdkCreateType.TwoGbMaxExtentFlat, 'f')]
    public void Large_disk_is_split(VmdkCreateType type, char letter)
    {
        const long Size = (2 * ExtentSize) + (3 * MiB) + Sector;
        long[] places = [0, ExtentSize - Sector, ExtentSize, (2 * ExtentSize) - Grain, 2 * ExtentSize, Size - Sector];
        Copy(Size, places, type);
        Assert.Equal(
            [$"disk-{letter}001.vmdk", $"disk-{letter}002.vmdk", $"disk-{letter}003.vmdk", "disk.vmdk"],
            Directory.GetFiles(_folder.Path, "*.vmdk").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string kind = letter == 's' ? "SPARSE" : "FLAT";
        string[] lines = [.. File.ReadAllLines(_folder.File("disk.vmdk")).Where(line => line.StartsWith("RW ", StringComparison.Ordinal))];
        Assert.StartsWith($"RW 4192256 {kind} \"disk-{letter}001.vmdk\"", lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"RW 6145 {kind} \"disk-{letter}003.vmdk\"", lines[2], StringComparison.Ordinal);
        long measured = ImageMeasure.Of(Size, new VmdkCreateOptions { CreateType = type }).FullyAllocatedBytes;
        if (letter == 'f')
        {
            Assert.Equal(Size, measured);
            Assert.Equal(Size, Directory.GetFiles(_folder.Path, "disk-*").Sum(file => new FileInfo(file).Length));
        }

        Assert.All(Directory.GetFiles(_folder.Path, "disk-*"), file => Assert.InRange(new FileInfo(file).Length, 1, (2 * GiB) - 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Sector)]
    [InlineData(Grain - 1)]
    [InlineData(Grain)]
    [InlineData(Grain + Sector)]
    [InlineData(32 * MiB)]
    [InlineData((32 * MiB) + 1)]
    [InlineData((96 * MiB) - Sector)]
    public void Stream_can_be_read_forwards_alone(int size)
    {
        byte[] content = new byte[size];
        var random = new Random(size);
        content.AsSpan(0, Math.Min(size, 3 * Grain)).Fill(5);
        if (size > 0)
        {
            content[^1] = 7;
            random.NextBytes(content.AsSpan(size / 3, Math.Min(size / 2, 5 * Grain)));
        }

        byte[] file = Convert(content, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized });

        var parsed = new VmdkStreamParser(file);
        ConversionJudge.AssertSame($"{size}", ConversionJudge.WholeSectors(content), parsed.Disk);
        Assert.Contains("\ncreateType=\"streamOptimized\"\n", parsed.Descriptor, StringComparison.Ordinal);
        Assert.Equal((size + (32 * MiB) - 1) / (32 * MiB), parsed.Tables);
    }

    [Fact]
    public void Stream_of_zeros_has_no_grain_unless_all_is_to_be_written()
    {
        byte[] content = new byte[(64 * MiB) + Sector];
        var parsed = new VmdkStreamParser(Convert(content, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized }));
        Assert.Equal((3, 3, 0), (parsed.Tables, parsed.EmptyTables, parsed.Lengths.Count));

        content[40 * MiB] = 1;
        parsed = new VmdkStreamParser(Convert(content, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized }));
        Assert.Equal((3, 2, 1), (parsed.Tables, parsed.EmptyTables, parsed.Lengths.Count));
        ConversionJudge.AssertSame("one grain", content, parsed.Disk);

        parsed = new VmdkStreamParser(Convert(content, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized }, new ConversionOptions { SparseSize = 0 }));
        Assert.Equal((3, 0, 1025), (parsed.Tables, parsed.EmptyTables, parsed.Lengths.Count));
        ConversionJudge.AssertSame("all grains", content, parsed.Disk);
    }

    /// <summary>Grains that get longer by compression, in all the parcels that are under way at once.</summary>
    [Fact]
    public void Stream_takes_what_cannot_be_compressed()
    {
        byte[] content = RandomBytes(5 * MiB);
        string path = _folder.File("disk.vmdk");
        byte[] file = Convert(content, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized }, new ConversionOptions { ThrottleLimit = 4 });

        var parsed = new VmdkStreamParser(file);
        Assert.All(parsed.Lengths, length => Assert.Equal(2 + (2 * 5) + Grain + 4, length));
        Assert.Equal(content, parsed.Disk);
        Assert.Equal(ImageMeasure.Of(content.Length, new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized }).FullyAllocatedBytes, file.Length);
        using VirtualDisk disk = DiskFormats.Get("vmdk").Open(path);
        Assert.Equal(content, DiskModel.ReadAll(disk));
    }

    [Fact]
    public void Level_says_how_hard_a_stream_is_compressed()
    {
        byte[] content = File.ReadAllBytes(typeof(VirtualDisk).Assembly.Location)[..(1 * MiB)];
        var layout = new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized };
        int[] lengths = [.. ((int?[])[1, null, 9]).Select(level => Convert(content, layout, new ConversionOptions { CompressionLevel = level }).Length)];
        Assert.True(lengths[0] > lengths[1] && lengths[1] >= lengths[2], string.Join(' ', lengths));
        Assert.Equal(lengths[1], Convert(content, layout, new ConversionOptions { Compress = true, CompressionLevel = 6 }).Length);
        foreach (int level in (int[])[0, 10])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => Convert(content, layout, new ConversionOptions { CompressionLevel = level }));
        }

        Assert.Throws<ArgumentException>(() => Convert(content, new VmdkCreateOptions(), new ConversionOptions { CompressionLevel = 6 }));
    }

    public static TheoryData<string, string> NamesOfExtents
    {
        get
        {
            var names = new TheoryData<string, string>
            {
                { "disk.vmdk", "disk-flat.vmdk" },
                { "Disk.VMDK", "Disk-flat.vmdk" },
                { "disk.v2", "disk.v2-flat.vmdk" },
                { "Größe 日本 'x' %20.vmdk", "Größe 日本 'x' %20-flat.vmdk" },
            };
            if (!OperatingSystem.IsWindows()) // Where no file can have such a name.
            {
                names.Add("one|22.vmdk", "one|22-flat.vmdk");
            }

            return names;
        }
    }

    [Theory, MemberData(nameof(NamesOfExtents))]
    public void Extents_are_called_by_the_descriptor(string name, string extent)
    {
        byte[] content = RandomBytes(3000);
        Write(content, _folder.File(name), new VmdkCreateOptions { CreateType = VmdkCreateType.VmfsFlat });
        Assert.Equal([.. new[] { extent, name }.Order(StringComparer.Ordinal)], Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using (VirtualDisk disk = DiskFormats.Get("vmdk").Open(_folder.File(name)))
        {
            Assert.Equal(ConversionJudge.WholeSectors(content), DiskModel.ReadAll(disk));
        }

        if (QemuImg.IsAvailable)
        {
            string raw = _folder.File("by-qemu.raw");
            QemuImg.Run("convert", "-f", "vmdk", "-O", "raw", _folder.File(name), raw);
            Assert.Equal(ConversionJudge.WholeSectors(content), File.ReadAllBytes(raw));
        }
    }

    [LinuxFact]
    public void Name_that_no_descriptor_can_hold_is_refused()
    {
        foreach (VmdkCreateType type in Enum.GetValues<VmdkCreateType>())
        {
            foreach (string name in (string[])["a\"b.vmdk", "a\nb.vmdk", "a\rb.vmdk", "a\ud800.vmdk"])
            {
                Assert.Contains("choose another name", Assert.Throws<ArgumentException>(() => Create(name, type)).Message, StringComparison.Ordinal);
            }
        }

        Assert.Contains("protocol", Assert.Throws<ArgumentException>(() => Create("nbd:x.vmdk", VmdkCreateType.MonolithicFlat)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Create("file:x.vmdk", VmdkCreateType.MonolithicFlat));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
        Create("nbd:x.vmdk", VmdkCreateType.MonolithicSparse);

        void Create(string name, VmdkCreateType type)
            => new VmdkCreateOptions { CreateType = type }.CreateFile(Path.Combine(_folder.Path, name), MiB, overwrite: false, null, default);
    }

    [Theory, MemberData(nameof(TypesWithExtents))]
    public void No_file_is_replaced_unless_all_may_be(VmdkCreateType type)
    {
        byte[] content = RandomBytes(MiB);
        var layout = new VmdkCreateOptions { CreateType = type };
        string extent = _folder.Write(VmdkFileName.OfExtent(_folder.File("disk.vmdk"), type, 0), "precious"u8);
        string path = _folder.File("disk.vmdk");

        Assert.Equal(Qcow2ErrorCode.DestinationExists, Assert.Throws<Qcow2Exception>(() => Write(content, path, layout)).Code);
        Assert.Equal(Qcow2ErrorCode.DestinationExists, Assert.Throws<Qcow2Exception>(() => layout.CreateFile(path, MiB, overwrite: false, null, default)).Code);
        Assert.Equal([extent], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal("precious", File.ReadAllText(extent));

        // One that must not be replaced: the descriptor comes last, and nothing has changed before it.
        Directory.CreateDirectory(path);
        Assert.ThrowsAny<Exception>(() => Write(content, path, layout, overwrite: true));
        Assert.Equal("precious", File.ReadAllText(extent));
        Directory.Delete(path);

        Write(content, path, layout, overwrite: true);
        Write([.. content.Reverse()], path, layout, overwrite: true);
        using VirtualDisk disk = DiskFormats.Get("vmdk").Open(path);
        Assert.Equal(content.Reverse(), DiskModel.ReadAll(disk));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [Theory]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, VmdkCreateType.TwoGbMaxExtentSparse)]
    [InlineData(VmdkCreateType.TwoGbMaxExtentFlat, VmdkCreateType.TwoGbMaxExtentFlat)]
    [InlineData(VmdkCreateType.TwoGbMaxExtentFlat, VmdkCreateType.TwoGbMaxExtentSparse)]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, VmdkCreateType.MonolithicSparse)]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, VmdkCreateType.StreamOptimized)]
    [InlineData(VmdkCreateType.VmfsFlat, VmdkCreateType.TwoGbMaxExtentSparse)]
    [InlineData(VmdkCreateType.MonolithicFlat, VmdkCreateType.MonolithicSparse)]
    public void Files_that_only_the_replaced_disk_had_go_when_the_new_one_is_complete(VmdkCreateType old, VmdkCreateType type)
    {
        string path = _folder.File("disk.vmdk");
        Create(path, old, (2 * ExtentSize) + MiB, overwrite: false);
        string other = _folder.Write("disk-s004.vmdk", "not named"u8);
        string[] before = Directory.GetFiles(_folder.Path);
        using (var stop = new CancellationTokenSource())
        {
            stop.Cancel();
            Assert.Throws<OperationCanceledException>(() => new VmdkCreateOptions { CreateType = type }.CreateFile(path, MiB, overwrite: true, null, stop.Token));
            Assert.Equal(before.Order(), Directory.GetFiles(_folder.Path).Order());
        }

        Create(path, type, MiB, overwrite: true);
        string[] extents = type switch
        {
            VmdkCreateType.TwoGbMaxExtentSparse => ["disk-s001.vmdk"],
            VmdkCreateType.TwoGbMaxExtentFlat => ["disk-f001.vmdk"],
            _ => [],
        };
        Assert.Equal(
            extents.Append("disk-s004.vmdk").Append("disk.vmdk").Order(StringComparer.Ordinal), Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal("not named", File.ReadAllText(other));
        using VirtualDisk disk = DiskFormats.Get("vmdk").Open(path);
        Assert.Equal(MiB, disk.Length);
    }

    /// <summary>A descriptor can name anything: what is deleted has the name of an extent of this disk, lies beside it, and is what the descriptor says.</summary>
    [Theory]
    [InlineData("RW 2048 FLAT \"precious.raw\" 0")]
    [InlineData("RW 2048 FLAT \"sub/disk-f002.vmdk\" 0")]
    [InlineData("RW 2048 FLAT \"../disk-f002.vmdk\" 0")]
    [InlineData("RW 2048 FLAT \"other-f002.vmdk\" 0")]
    [InlineData("RW 2048 FLAT \"disk-f003.vmdk\" 0")]
    [InlineData("RW 2047 FLAT \"disk-f002.vmdk\" 0")]
    [InlineData("RW 1024 FLAT \"disk-f002.vmdk\" 1024")]
    [InlineData("RW 2048 SPARSE \"disk-s002.vmdk\"")]
    public void What_an_old_descriptor_names_otherwise_stays(string line)
    {
        string path = _folder.File("disk.vmdk");
        string named = line.Split('"')[1];
        File.WriteAllText(path, $"# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\nRW 2048 FLAT \"disk-f001.vmdk\" 0\n{line}\n");
        string inside = _folder.File("sub/disk-f002.vmdk");
        string outside = Path.GetFullPath(named.StartsWith("..", StringComparison.Ordinal) ? _folder.File("disk-f002.vmdk") : named, _folder.Path);
        File.WriteAllBytes(inside, new byte[MiB]);
        File.WriteAllBytes(outside, new byte[MiB]);
        Create(path, VmdkCreateType.MonolithicSparse, MiB, overwrite: true);
        Assert.True(File.Exists(outside));
        Assert.True(File.Exists(inside));
    }

    [LinuxFact]
    public void A_link_where_an_extent_was_stays()
    {
        string path = _folder.File("disk.vmdk");
        Create(path, VmdkCreateType.TwoGbMaxExtentFlat, ExtentSize + MiB, overwrite: false);
        File.Move(_folder.File("disk-f002.vmdk"), _folder.File("precious.raw"));
        File.CreateSymbolicLink(_folder.File("disk-f002.vmdk"), _folder.File("precious.raw"));
        Create(path, VmdkCreateType.TwoGbMaxExtentFlat, MiB, overwrite: true);
        Assert.Equal(MiB, new FileInfo(_folder.File("precious.raw")).Length);
        Assert.Equal(4, Directory.GetFiles(_folder.Path).Length);
    }

    [LinuxFact]
    public void Files_of_a_disk_that_is_in_use_are_not_taken_from_it()
    {
        string path = _folder.File("disk.vmdk");
        Create(path, VmdkCreateType.TwoGbMaxExtentSparse, ExtentSize + MiB, overwrite: false);
        byte[] before = File.ReadAllBytes(path);
        using (Engine.Disks.ImageFile.OpenForWriting(_folder.File("disk-s002.vmdk")))
        {
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Create(path, VmdkCreateType.TwoGbMaxExtentSparse, MiB, overwrite: true)).Code);
        }

        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(3, Directory.GetFiles(_folder.Path).Length);
    }

    private static void Create(string path, VmdkCreateType type, long size, bool overwrite)
        => new VmdkCreateOptions { CreateType = type }.CreateFile(path, size, overwrite, null, default);

    [Theory, MemberData(nameof(TypesWithExtents))]
    public void Source_that_cannot_be_read_leaves_every_file_as_it_was(VmdkCreateType type)
    {
        var layout = new VmdkCreateOptions { CreateType = type };
        string path = _folder.File("disk.vmdk");
        byte[] old = RandomBytes(2 * MiB);
        Write(old, path, layout);
        var storage = new MemoryStorage(RandomBytes(9 * MiB));
        storage.BeforeRead = (offset, _) => _ = offset > 6 * MiB ? throw new IOException("Input/output error") : 0;
        using (RawDisk source = RawDisk.Open(storage))
        {
            Assert.Throws<IOException>(() => DiskConverter.Convert(source, path, layout, overwrite: true));
        }

        using VirtualDisk disk = DiskFormats.Get("vmdk").Open(path);
        Assert.Equal(old, DiskModel.ReadAll(disk));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [Theory, MemberData(nameof(TypesWithExtents))]
    public void Disk_is_not_copied_onto_a_file_that_it_is_read_from(VmdkCreateType type)
    {
        var layout = new VmdkCreateOptions { CreateType = type };
        string path = _folder.File("disk.vmdk");
        string extent = _folder.Write(VmdkFileName.OfExtent(path, type, 0), RandomBytes(MiB));
        byte[] before = File.ReadAllBytes(extent);
        using (RawDisk source = RawDisk.Open(extent))
        {
            Assert.Equal(Qcow2ErrorCode.DestinationIsSource, Assert.Throws<Qcow2Exception>(() => DiskConverter.Convert(source, path, layout, overwrite: true)).Code);
        }

        Assert.Equal(before, File.ReadAllBytes(extent));
        Assert.Equal([extent], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData(VmdkCreateType.MonolithicSparse, (2 * TiB) - (257 * MiB), 2 * TiB, "twoGbMaxExtentSparse")]
    [InlineData(VmdkCreateType.TwoGbMaxExtentSparse, 8 * TiB, (8 * TiB) + Sector, "vmfs")]
    [InlineData(VmdkCreateType.TwoGbMaxExtentFlat, 8 * TiB, (8 * TiB) + Sector, "vmfs")]
    [InlineData(VmdkCreateType.MonolithicFlat, 8 * TiB, (8 * TiB) + 1, "vmfs")]
    [InlineData(VmdkCreateType.VmfsFlat, 62 * TiB, (62 * TiB) + 1, "62 TiB")]
    [InlineData(VmdkCreateType.StreamOptimized, 62 * TiB, long.MaxValue, "62 TiB")]
    public void Disk_that_is_too_large_is_refused_with_what_to_do(VmdkCreateType type, long most, long more, string instead)
    {
        var layout = new VmdkCreateOptions { CreateType = type };
        Assert.Equal(most, layout.DiskSizeFor(most));
        var error = Assert.Throws<Qcow2Exception>(() => layout.CreateFile(_folder.File("disk.vmdk"), more, overwrite: false, null, default));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        Assert.Contains(instead, error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
        if (type == VmdkCreateType.MonolithicSparse)
        {
            Assert.InRange(ImageMeasure.Of(most, layout).FullyAllocatedBytes, (2 * TiB) - (2 * MiB), 2 * TiB);
        }
    }

    /// <summary>Where a stream ends is known at the end only.</summary>
    [Fact]
    public void Stream_that_gets_too_long_is_refused()
    {
        VmdkNewLimits.CheckStream(2 * TiB, "disk.vmdk");
        Assert.Contains("disk.vmdk", Assert.Throws<Qcow2Exception>(() => VmdkNewLimits.CheckStream((2 * TiB) + 1, "disk.vmdk")).Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Types))]
    public void Values_that_are_none_are_refused(VmdkCreateType type)
    {
        var layout = new VmdkCreateOptions { CreateType = type, AdapterType = (VmdkAdapterType)99 };
        Assert.Throws<ArgumentOutOfRangeException>(() => layout.CreateFile(_folder.File("disk.vmdk"), MiB, overwrite: false, null, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => (layout with { CreateType = (VmdkCreateType)99 }).CreateFile(_folder.File("disk.vmdk"), MiB, overwrite: false, null, default));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private string Copy(long size, long[] places, VmdkCreateType type)
    {
        string original = _folder.File("source.qcow2");
        string path = _folder.File("disk.vmdk");
        using (Qcow2Image source = SparseSource.Make(original, size, places))
        {
            DiskConverter.Convert(source, path, new VmdkCreateOptions { CreateType = type }, overwrite: true);
        }

        SparseSource.AssertCopied(path, "vmdk", size, places);
        if (QemuImg.IsAvailable)
        {
            Assert.Contains("identical", QemuImg.Run("compare", "-f", "qcow2", "-F", "vmdk", original, path), StringComparison.Ordinal);
            Assert.Contains("No errors", QemuImg.Run("check", "-f", "vmdk", path), StringComparison.Ordinal);
        }

        return path;
    }

    private byte[] Convert(byte[] content, VmdkCreateOptions layout, ConversionOptions? options = null)
    {
        string path = _folder.File("disk.vmdk");
        Write(content, path, layout, options, overwrite: true);
        return File.ReadAllBytes(path);
    }

    private static void Write(byte[] content, string path, VmdkCreateOptions layout, ConversionOptions? options = null, bool overwrite = false)
    {
        using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));
        DiskConverter.Convert(source, path, layout, overwrite, options);
    }

    private static Func<Guid> Ids()
    {
        int last = 0;
        return () => new Guid(++last, 2, 3, [4, 5, 6, 7, 8, 9, 10, 11]);
    }

    private static uint[] Words(byte[] bytes, int at, int count)
        => [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + (4 * i))))];

    private static byte[] RandomBytes(int length)
    {
        byte[] content = new byte[length];
        new Random(length).NextBytes(content);
        return content;
    }
}
