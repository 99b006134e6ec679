using System.Buffers.Binary;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>Each damage that a VMDK file can have is found, named and counted; what is sound is called so.</summary>
public sealed class VmdkCheckTests : IDisposable
{
    private const int Sector = VmdkBuilder.Sector;
    private const int Grain = 8 * Sector;
    private const int FirstGrain = 21 * Sector;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    /// <summary>
    /// Four grains, of which the second is not there, with one thing wrong; and what is said of it. A stream where the name says so. QEMU stops at the first
    /// grain that it cannot find.
    /// </summary>
    private static readonly (string Name, Action<Extent> Change, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string Words)[] Cases =
    [
        ("version", e => e.Set(4, 4), FeatureUnknown, Error, 0, "version 4"),
        ("flags", e => e.Set(8, 0x4_0001), FeatureUnknown, Error, 0, "flags 0x00040000"),
        ("grain size", e => e.Set(20, 3), HeaderDamaged, Error, 0, "grains of 3"),
        ("table entries", e => e.Set(44, 0), HeaderDamaged, Error, 0, "grain tables"),
        ("line ends", e => e.Set(73, 0x0a0a_200a), HeaderDamaged, Error, 0, "copied as a text"),
        ("directory past the end", e => e.Set(56, 1 << 30), HeaderDamaged, Error, 0, "grain directory"),
        ("directory in the descriptor", e => e.Set(56, 20), MetadataOverlap, Corruption, 1, "lies on"),
        ("no descriptor", e => e.Set(28, 0), DescriptorDamaged, Warning, 0, "one extent of a VMDK disk"),
        ("descriptor of zeros", e => e.File.AsSpan(Sector, 20 * Sector).Clear(), DescriptorDamaged, Warning, 0, "one extent of a VMDK disk"),
        ("descriptor of nothing", e => e.Set(28, 23), DescriptorDamaged, Error, -1, "names no extent"),
        ("descriptor too long", e => e.Text("RW 32 ", "RW 64 "), DescriptorDamaged, Warning, 0, "has 32768 bytes"),
        ("descriptor's version", e => e.Text("version=1", "version=9"), DescriptorDamaged, Error, 0, "version 9"),
        ("descriptor's CID", e => e.Text("CID=12345678", "CID=1234567x"), DescriptorDamaged, Error, 0, "'1234567x'"),
        ("unclean", e => e.File[72] = 1, MarkedDirty, Warning, 0, "not closed"),
        ("table past the end", e => e.SetDirectory(0, 0x7fff_ffff), PastEndOfFile, Corruption, 1, "entry 0 of the grain directory"),
        ("table on the header", e => e.SetDirectory(0, 0x8000_0000), PastEndOfFile, Corruption, 1, "entry 0 of the grain directory"),
        ("table on the descriptor", e => e.SetDirectory(0, 20), MetadataOverlap, Corruption, 1, "on the descriptor"),
        ("directory entry of 1", e => e.SetDirectory(0, 1), EntryInvalid, Corruption, 1, "0x1"),
        ("grain of 1", e => e.SetTable(2, 1), EntryInvalid, Corruption, 1, "zeros only where the header says so"),
        ("grain past the end", e => e.SetTable(2, 0x00ff_ffff), PastEndOfFile, Corruption, 1, "Grain 2 lies at 0x1fffffe00"),
        ("grain far past the end", e => e.SetTable(2, 0xffff_ffff), PastEndOfFile, Corruption, 1, "Grain 2 lies at"),
        ("grain cut off", e => e.SetTable(2, (uint)(e.File.Length / Sector) - 1), FileCutOff, Corruption, 1, "its end is missing"),
        ("grain on the descriptor", e => e.SetTable(2, 2), MetadataOverlap, Corruption, 1, "Grain 2 at 0x400 lies on"),
        ("grain on a table", e => e.SetTable(2, e.TableSector - 7), MetadataOverlap, Corruption, 1, "Grain 2 at"),
        ("two grains in one place", e => e.SetTable(2, 21), BlockOverlap, Corruption, 1, "Grain 2 at 0x2a00"),
        ("two grains that overlap", e => e.SetTable(2, 22), BlockOverlap, Corruption, 1, "Grain 2 at 0x2c00"),
        ("grains given up", e => { e.SetTable(2, 0); e.SetTable(3, 0); }, SpaceUnused, Leak, 0, "8192 bytes at 0x3a00"),
        ("stream: grain elsewhere", e => e.File[FirstGrain] = 8, MarkerDamaged, Corruption, 1, "that of sector 8"),
        ("stream: grain too long", e => e.File[FirstGrain + 10] = 0xff, MarkerDamaged, Corruption, 1, "which no grain of 4096 has"),
        ("stream: grain of nothing", e => e.File[FirstGrain + 8] = 1, MarkerDamaged, Corruption, 1, "1 bytes, compressed"),
        ("stream: cut off", e => e.File = e.File[..^(3 * Sector)], FileCutOff, Error, 0, "cut off"),
        ("stream: end marker cut off", e => e.File = e.File[..^Sector], MarkerDamaged, Warning, 0, "No end marker"),
        ("stream: footer another", e => e.File[^(1024 - 12)] = 0xff, CopyDamaged, Warning, 0, "differs from the header"),
        ("stream: footer's marker", e => e.File[^(1536 - 12)] = 9, MarkerDamaged, Warning, 0, "footer at"),
        ("stream: table's marker", e => e.File[(e.TableSector * Sector) - Sector + 12] = 9, MarkerDamaged, Warning, 0, "1 of 1 grain tables"),
        ("stream: directory's marker", e => e.File[(e.DirectorySector * Sector) - Sector + 12] = 9, MarkerDamaged, Warning, 0, "grain directory at"),
    ];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (_, Action<Extent> change, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string words) = Cases.Single(one => one.Name == name);
        var extent = new Extent(Sound(name.StartsWith("stream", StringComparison.Ordinal)));
        change(extent);
        Qcow2CheckResult result = CheckJudge.Check("vmdk", extent.File);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.True(corruptions < 0 || corruptions == result.Corruptions, $"{result.Corruptions}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
        Assert.Equal(name == "unclean", result.IsDirty);
        CheckJudge.AssertAgreesWithReader("vmdk", extent.File, name);
    }

    /// <summary>QEMU looks for grains that it cannot find or that start past the end of the file; each of these is found here, too.</summary>
    [QemuFact]
    public void What_qemu_img_check_finds_is_found()
    {
        string path = _folder.File("disk.vmdk");
        int found = 0;
        foreach ((string name, Action<Extent> change, _, _, _, _) in Cases)
        {
            var extent = new Extent(Sound(name.StartsWith("stream", StringComparison.Ordinal)));
            change(extent);
            File.WriteAllBytes(path, extent.File);
            bool isFaulty = QemuImg.TryRun("check", "-f", "vmdk", path).ExitCode != 0;
            found += isFaulty ? 1 : 0;
            Assert.True(!isFaulty || !DiskFormats.Get("vmdk").Check(path).IsHealthy, name);
        }

        Assert.InRange(found, 5, Cases.Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sound_file_has_no_findings_and_right_numbers(bool isStream)
    {
        Qcow2CheckResult result = CheckJudge.Check("vmdk", Sound(isStream), untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((3, 4, isStream ? 3 : 0), (result.AllocatedClusters, result.TotalClusters, result.CompressedClusters));
    }

    [Fact]
    public void Streams_with_their_directory_in_front_need_no_markers()
    {
        byte[] file = VmdkBuilder.Sparse(Grains, Data, descriptor: Descriptor("streamOptimized"), compressed: true, markers: false, footer: false);
        CheckJudge.AssertSound(CheckJudge.Check("vmdk", file, readData: true));
        file = VmdkBuilder.Sparse(Grains, Data, descriptor: Descriptor("streamOptimized"), compressed: true, markers: false);
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", file, readData: true), MarkerDamaged, Warning, "grain tables");
    }

    [Fact]
    public void Data_of_a_stream_are_decompressed_on_request()
    {
        byte[] file = Sound(true);
        file[FirstGrain + 20] ^= 0xff;
        CheckJudge.AssertSound(CheckJudge.Check("vmdk", file));
        Qcow2CheckResult result = CheckJudge.Check("vmdk", file, readData: true);
        CheckJudge.AssertFinds(result, DataUnreadable, Corruption, "0x0 to 0x1000");
        Assert.Equal(1, result.Corruptions);
    }

    [QemuFact]
    public void Directories_that_differ_are_found()
    {
        string path = _folder.File("disk.vmdk");
        QemuImg.Run("create", "-q", "-f", "vmdk", path, "128M");
        QemuImg.RunIo("-f", "vmdk", "-c", "write -P 1 0 1M", "-c", "write -P 1 100M 64k", path);
        byte[] file = File.ReadAllBytes(path);
        CheckJudge.AssertSound(CheckJudge.Check("vmdk", file, untrusted: true, readData: true));
        var extent = new Extent(file);
        int copy = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(48)) * Sector;
        int table = (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(copy + 4)) * Sector;
        file[table] ^= 1;
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", file), CopyDamaged, Warning, "grain table 1 ", "differs");
        file[table] ^= 1;
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(copy + 8), 0x7fff_ffff);
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", file), CopyDamaged, Warning, "entry 2");
        extent.Set(48, 1 << 30);
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", file), CopyDamaged, Warning, "sector 1073741824");
        extent = new Extent(File.ReadAllBytes(path));
        extent.Set(56, 1 << 30);
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", extent.File), CopyDamaged, Warning, "its copy counts");
        extent = new Extent(File.ReadAllBytes(path));
        extent.SetDirectory(2, extent.TableSector);
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", extent.File), MetadataOverlap, Corruption, "entries 0 and 2");
    }

    [Fact]
    public void Extents_are_checked_each_as_what_it_is()
    {
        File.WriteAllBytes(_folder.File("a-s001.vmdk"), VmdkBuilder.Sparse(Grains, Data));
        File.WriteAllBytes(_folder.File("b-flat.vmdk"), new byte[8 * Sector]);
        File.WriteAllBytes(_folder.File("c-delta.vmdk"), VmdkBuilder.Cowd(Grains, Data, 8));
        Qcow2CheckResult Of(bool untrusted = false, params string[] lines)
        {
            File.WriteAllBytes(_folder.File("disk.vmdk"), VmdkBuilder.Descriptor("custom", lines));
            return DiskFormats.Get("vmdk").Check(_folder.File("disk.vmdk"), new Qcow2CheckOptions { Untrusted = untrusted, ReadData = true });
        }

        string[] sound = ["RW 32 SPARSE \"a-s001.vmdk\"", "RW 4 ZERO", "RW 4 FLAT \"b-flat.vmdk\" 0", "RW 4 FLAT \"b-flat.vmdk\" 4", "RW 32 VMFSSPARSE \"c-delta.vmdk\""];
        Qcow2CheckResult good = Of(lines: sound);
        Assert.All(good.Findings, finding => Assert.Equal((ReferenceToOtherFile, Information), (finding.Kind, finding.Severity)));
        Assert.Equal((4, 6, 8), (good.FindingCount, good.AllocatedClusters, good.TotalClusters));
        Qcow2CheckResult strange = Of(untrusted: true, sound);
        Assert.False(strange.IsHealthy);
        Assert.All(strange.Findings, finding => Assert.Equal((ReferenceToOtherFile, Warning), (finding.Kind, finding.Severity)));
        CheckJudge.AssertFinds(Of(untrusted: true, "RW 1 FLAT \"../secret\" 0"), ExtentUnavailable, Warning, "outside of its own folder");
        CheckJudge.AssertFinds(Of(lines: "RW 1 FLAT \"/etc/hostname\" 0"), ExtentUnavailable, Error, "/etc/hostname");
        CheckJudge.AssertFinds(Of(lines: "RW 1 FLAT \"gone.vmdk\" 0"), ExtentUnavailable, Error, "gone.vmdk");
        CheckJudge.AssertFinds(Of(lines: "RW 9 FLAT \"b-flat.vmdk\" 0"), FileCutOff, Corruption, "takes 4608 bytes");
        CheckJudge.AssertFinds(Of(lines: "RW 33 SPARSE \"a-s001.vmdk\""), ExtentUnavailable, Corruption, "has room for 16384 bytes");
        CheckJudge.AssertFinds(Of(lines: "RW 32 SPARSE \"c-delta.vmdk\""), ExtentUnavailable, Corruption, "kind Cowd");
        CheckJudge.AssertFinds(Of(lines: "RW 32 SPARSE \"b-flat.vmdk\""), HeaderDamaged, Error, "b-flat.vmdk");
        CheckJudge.AssertFinds(Of(lines: "NOACCESS 4 ZERO"), ExtentUnavailable, Warning, "NOACCESS");
        CheckJudge.AssertFinds(Of(false, "RW 4 FLAT \"b-flat.vmdk\" 0", "RW 4 FLAT \"b-flat.vmdk\" 3"), BlockOverlap, Warning, "Extents 1 and 2");
        CheckJudge.AssertFinds(Of(false, "RW 32 SPARSE \"a-s001.vmdk\"", "RW 32 SPARSE \"a-s001.vmdk\""), BlockOverlap, Warning, "Extents 1 and 2");
        CheckJudge.AssertFinds(Of(lines: "RW x ZERO"), DescriptorDamaged, Error, "cannot be understood");
        var broken = new Extent(VmdkBuilder.Sparse(Grains, Data));
        broken.SetTable(2, 21);
        File.WriteAllBytes(_folder.File("a-s001.vmdk"), broken.File);
        CheckJudge.AssertFinds(Of(lines: sound), BlockOverlap, Corruption, "'a-s001.vmdk': Grain 2");
        Assert.Contains("no VMDK file", Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("vmdk", new byte[4096])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_child_is_held_against_its_parent()
    {
        File.WriteAllBytes(_folder.File("base.vmdk"), VmdkBuilder.Sparse(Grains, Data, descriptor: Descriptor("monolithicSparse")));
        Qcow2CheckResult Of(string parent = "12345678", string name = "base.vmdk", bool untrusted = false, ReferencePolicy? policy = null)
        {
            byte[] text = VmdkBuilder.Descriptor("monolithicSparse", ["RW 32 SPARSE \"x\""], parentCid: parent, more: $"parentFileNameHint=\"{name}\"");
            File.WriteAllBytes(_folder.File("child.vmdk"), VmdkBuilder.Sparse(Grains, Data, descriptor: text));
            return DiskFormats.Get("vmdk").Check(_folder.File("child.vmdk"), new Qcow2CheckOptions { Untrusted = untrusted, References = policy ?? ReferencePolicy.Follow, ReadData = true });
        }

        Assert.Equal([ReferenceToOtherFile], Of().Findings.Select(finding => finding.Kind));
        CheckJudge.AssertFinds(Of(untrusted: true, name: "/etc/passwd"), ReferenceToOtherFile, Warning, "/etc/passwd");
        CheckJudge.AssertFinds(Of(parent: "abcdef01"), ParentMismatch, Corruption, "abcdef01 is expected");
        CheckJudge.AssertFinds(Of(name: "lost.vmdk"), ParentUnavailable, Error, "not found");
        CheckJudge.AssertFinds(Of(policy: ReferencePolicy.Forbid), ParentUnavailable, Error);
    }

    [Fact]
    public void Tables_that_make_up_the_file_are_not_taken_from_strangers()
    {
        byte[] descriptor = VmdkBuilder.Descriptor("monolithicSparse", [$"RW {1L << 37} SPARSE \"x\""]);
        byte[] file = VmdkBuilder.Sparse([BuiltGrain.None], [[]], 128, 1L << 37, descriptor);
        file = [.. file, .. new byte[(1 << 23) + 4096]];
        CheckJudge.AssertFinds(CheckJudge.Check("vmdk", file, untrusted: true), TablesOversized, Warning, "8388608 bytes");
    }

    /// <summary>More sectors than are looked at at once: what overlaps is found in each part, and counted once.</summary>
    [LinuxFact]
    public void What_overlaps_far_from_the_start_is_found()
    {
        var extent = new Extent(Sound(false));
        extent.SetTable(2, 1_200_000_000);
        extent.SetTable(3, 1_200_000_004);
        string path = _folder.File("large.vmdk");
        File.WriteAllBytes(path, extent.File);
        using (FileStream file = File.OpenWrite(path))
        {
            file.SetLength(1_200_000_100L * Sector);
        }

        Qcow2CheckResult result = DiskFormats.Get("vmdk").Check(path);
        CheckJudge.AssertFinds(result, BlockOverlap, Corruption, "Grain 3 at");
        Assert.Equal((1, 3), (result.Corruptions, result.AllocatedClusters));
        Assert.All(result.Findings, finding => Assert.Contains(finding.Kind, new[] { BlockOverlap, SpaceUnused }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Mutations_are_found_as_readers_find_them(bool isStream)
        => CheckJudge.Fuzz("vmdk", Sound(isStream), 400, (random, file) =>
        {
            for (int i = random.Next(1, 5); i > 0; i--)
            {
                int at = random.Next(4) switch { 0 => random.Next(80), 1 => Sector + random.Next(300), 2 => file.Length - 1 - random.Next(5000), _ => random.Next(file.Length) };
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }
        });

    [SampleFact]
    public void Samples_of_other_programs_are_sound()
    {
        foreach (string name in new[] { "dfvfs-ext2", "plaso-image", "stroz-monolithicSparse", "stroz-streamOptimized", "ronin-minimal", "xo-test" })
        {
            CheckJudge.AssertSound(DiskFormats.Get("vmdk").Check(Samples.Unpack(_folder, $"vmdk/{name}.vmdk"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }), name);
        }

        (string Descriptor, string Extent)[] several =
        [
            ("stroz-twoGbMaxExtentSparse/twoGbMaxExtentSparse.vmdk", "stroz-twoGbMaxExtentSparse/twoGbMaxExtentSparse-s001.vmdk"), ("stroz-monolithicFlat/monolithicFlat.vmdk", "stroz-monolithicFlat/monolithicFlat-flat.vmdk"),
            ("stroz-vmfs/vmfs_thick.vmdk", "stroz-vmfs/vmfs_thick-flat.vmdk"), ("ronin-tw_sparse/tw_sparse.vmdk", "ronin-tw_sparse/tw_sparse-s001.vmdk"), ("sesparse-own-descriptor.vmdk", "dissect-sesparse.vmdk"),
        ];
        foreach ((string descriptor, string extent) in several)
        {
            Samples.Unpack(_folder, "vmdk/" + extent);
            Qcow2CheckResult result = DiskFormats.Get("vmdk").Check(Samples.Unpack(_folder, "vmdk/" + descriptor), new Qcow2CheckOptions { ReadData = true });
            Assert.True(result.Findings.Select(finding => finding.Kind).SequenceEqual([ReferenceToOtherFile]) && result.IsHealthy, $"{descriptor}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
        }

        CheckJudge.AssertFinds(DiskFormats.Get("vmdk").Check(Samples.Unpack(_folder, "vmdk/dissect-sesparse.vmdk")), DescriptorDamaged, Warning, "one extent of a VMDK disk");
        CheckJudge.AssertFinds(DiskFormats.Get("vmdk").Check(Samples.Unpack(_folder, "vmdk/stroz-vmfs/vmfs_thick-000001.vmdk")), ExtentUnavailable, Error, "delta");
        Assert.True(DiskFormats.Get("vmdk").Check(Samples.Unpack(_folder, "vmdk/afl9.vmdk")).CheckErrors > 0);
    }

    [QemuFact]
    public void What_qemu_img_writes_is_sound()
    {
        byte[] content = new byte[(20 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 3 << 20));
        content.AsSpan(15 << 20, 1 << 20).Fill(7);
        File.WriteAllBytes(_folder.File("disk.raw"), content);
        foreach (string options in new[]
            {
                "subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on", "subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat", "subformat=streamOptimized",
            })
        {
            string path = _folder.File("disk.vmdk");
            QemuImg.Run("convert", "-f", "raw", "-O", "vmdk", "-o", options, _folder.File("disk.raw"), path);
            Qcow2CheckResult result = DiskFormats.Get("vmdk").Check(path, new Qcow2CheckOptions { ReadData = true });
            Assert.True(result.IsHealthy && result.Findings.All(finding => finding.Kind == ReferenceToOtherFile), $"{options}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
            Assert.Equal(0, QemuImg.TryRun("check", "-f", "vmdk", path).ExitCode);
        }
    }

    private static BuiltGrain[] Grains => [BuiltGrain.Data, BuiltGrain.None, BuiltGrain.Data, BuiltGrain.Data];

    private static byte[][] Data => [.. Grains.Select((_, i) => Enumerable.Repeat((byte)(i + 1), Grain).ToArray())];

    private static byte[] Descriptor(string type) => VmdkBuilder.Descriptor(type, ["RW 32 SPARSE \"x.vmdk\""]);

    private static byte[] Sound(bool isStream) => VmdkBuilder.Sparse(Grains, Data, descriptor: Descriptor(isStream ? "streamOptimized" : "monolithicSparse"), compressed: isStream);

    /// <summary>A file, and where its tables lie.</summary>
    private sealed class Extent(byte[] file)
    {
        internal byte[] File { get; set; } = file;

        /// <summary>By the footer in a stream.</summary>
        internal uint DirectorySector => BinaryPrimitives.ReadUInt32LittleEndian(File.AsSpan(File.AsSpan(56, 4).IndexOfAnyExcept((byte)0xff) < 0 ? File.Length - 1024 + 56 : 56));

        internal uint TableSector => BinaryPrimitives.ReadUInt32LittleEndian(File.AsSpan((int)DirectorySector * Sector));

        internal void Set(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(File.AsSpan(at), value);

        internal void SetDirectory(int index, uint value) => Set((int)(DirectorySector * Sector) + (index * 4), value);

        internal void SetTable(int index, uint value) => Set((int)(TableSector * Sector) + (index * 4), value);

        internal void Text(string old, string text)
        {
            int at = File.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(old));
            System.Text.Encoding.ASCII.GetBytes(text).CopyTo(File, at);
        }
    }
}
