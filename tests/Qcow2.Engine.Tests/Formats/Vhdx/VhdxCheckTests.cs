using System.Buffers.Binary;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>Each damage that a VHDX file can have is found, named and counted; what is sound is called so.</summary>
public sealed class VhdxCheckTests : IDisposable
{
    private const int MiB = 1 << 20;
    private const int TableOffset = VhdxBuilder.TableOffset;

    private static readonly Guid OtherId = new("12121212-3434-5656-7878-909090909090");

    private readonly TempFolder _folder = new();

    /// <summary>A disk of five blocks, of which 0, 2 and 4 are in the file from 4 MiB on, with one thing wrong; and what is said of it.</summary>
    private static readonly (string Name, Action<VhdxBuilder> Change, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string Words)[] Cases =
    [
        ("first header", b => b.At(64 << 10)[8] ^= 1, CopyDamaged, Warning, 0, "header at 0x10000 has the check sum"),
        ("second header", b => b.At(128 << 10)[0] = 0, CopyDamaged, Warning, 0, "header at 0x20000 has no signature"),
        ("log nowhere", b => { BinaryPrimitives.WriteUInt64LittleEndian(b.At((64 << 10) + 72), 5); BinaryPrimitives.WriteUInt64LittleEndian(b.At((128 << 10) + 72), 5); b.SealHeaders(); }, HeaderDamaged, Warning, 1, "said to lie at 0x5"),
        ("first region table", b => b.At(192 << 10)[100] ^= 1, CopyDamaged, Warning, 0, "region table at 0x30000"),
        ("second region table", b => b.At(256 << 10)[100] ^= 1, CopyDamaged, Warning, 0, "region table at 0x40000"),
        ("region tables differ", b => { b.At((256 << 10) + 44)[0] = 0; b.SealRegionTables(); }, CopyDamaged, Warning, 0, "they differ"),
        ("region not required", b => VhdxHostileTests.Region(b, 44, 0), NotMarkedRequired, Information, 0, "block allocation table"),
        ("region unknown", b => { AddRegion(b, 8 * MiB, 0); b.Append(2 * MiB); }, FeatureUnknown, Information, 0, "can be done without"),
        ("region unknown and needed", b => { AddRegion(b, 8 * MiB, 1); b.Append(2 * MiB); }, FeatureUnknown, Error, 0, "needs the region"),
        ("region past the end", b => AddRegion(b, 8 * MiB, 0), PastEndOfFile, Corruption, 1, "does not fit"),
        ("region on a block", b => AddRegion(b, 5 * MiB, 0), MetadataOverlap, Corruption, 1, "Block 2 at 0x500000 lies on the region"),
        ("region on another", b => AddRegion(b, 2 * MiB, 0), MetadataOverlap, Corruption, 1, "lies on"),
        ("state 4", b => b.SetEntry(2, 4), EntryInvalid, Corruption, 1, "Block 2 has the state 4"),
        ("state 5", b => b.SetEntry(2, 5), EntryInvalid, Corruption, 1, "state 5"),
        ("state 7", b => b.SetEntry(2, 7, 5 * MiB), EntryInvalid, Corruption, 1, "only a disk with a parent"),
        ("reserved bits", b => b.SetEntry(2, 6 | 8, 5 * MiB), ReservedBits, Corruption, 1, "bits set that are reserved"),
        ("block on the headers", b => b.SetEntry(2, 6), MetadataOverlap, Corruption, 1, "Block 2 at 0x0 lies on the headers"),
        ("block on the log", b => b.SetEntry(2, 6, MiB), MetadataOverlap, Corruption, 1, "the log"),
        ("block on the metadata", b => b.SetEntry(2, 6, 2 * MiB), MetadataOverlap, Corruption, 1, "the metadata"),
        ("block on the table", b => b.SetEntry(2, 6, 3 * MiB), MetadataOverlap, Corruption, 1, "the block allocation table"),
        ("block past the end", b => b.SetEntry(2, 6, 7 * MiB), PastEndOfFile, Corruption, 1, "Block 2 lies at 0x700000"),
        ("block far past the end", b => b.SetEntry(2, 6, unchecked((long)0xffff_ffff_fff0_0000)), PastEndOfFile, Corruption, 1, "Block 2 lies at"),
        ("two blocks in one place", b => b.SetEntry(3, 6, 4 * MiB), BlockOverlap, Corruption, 1, "Block 3 at 0x400000"),
        ("block given up", b => b.SetEntry(2, 0), SpaceUnused, Information, 0, "1048576 bytes at 0x500000"),
        ("bitmap without a parent", b => BinaryPrimitives.WriteUInt64LittleEndian(b.At(TableOffset + (4096 * 8)), 6), EntryInvalid, Warning, 0, "no parent"),
        ("metadata of no meaning", b => VhdxHostileTests.Metadata(b, 2, 24, 5), FeatureUnknown, Error, 0, "user's metadata"),
        ("log of nothing", b => b.WriteHeaders(VhdxBuilder.LogGuid, 7), LogDamaged, Corruption, 1, "no entry of the log is valid"),
        ("log that writes a header", b => WithLog(b, (64 << 10, new byte[4096], 0)), LogDamaged, Corruption, 1, "that is a header"),
        ("log to be replayed", b => WithLog(b, (4 * MiB, new byte[4096], 0)), MarkedDirty, Information, 0, "in 1 entry up to the number 5"),
        ("log cut off behind", b => WithLog(b, change: entry => BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(48), 8 * MiB), patches: (4 * MiB, new byte[4096], 0)), FileCutOff, Corruption, 1, "it was cut off"),
        ("log that breaks the table", b => WithLog(b, (TableOffset, [7, .. new byte[4095]], 0)), EntryInvalid, Corruption, 1, "Block 0 has the state 7"),
        ("entry torn", b => { int next = WithLog(b, (4 * MiB, new byte[4096], 0)); b.Log(next, 6, 0, [(4 * MiB, new byte[4096], 0)]); b.At(MiB + next + 5000)[0] ^= 1; }, LogDamaged, Information, 0, "number 6 was not written whole"),
    ];

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (_, Action<VhdxBuilder> change, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string words) = Cases.Single(one => one.Name == name);
        VhdxBuilder builder = name.StartsWith("bitmap", StringComparison.Ordinal) ? new VhdxBuilder(4097L * MiB) : Sound();
        change(builder);
        Qcow2CheckResult result = CheckJudge.Check("vhdx", builder.Bytes);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        Assert.Equal(name.StartsWith("log ", StringComparison.Ordinal) && name != "log nowhere" || name == "entry torn", result.IsDirty);
        CheckJudge.AssertAgreesWithReader("vhdx", builder.Bytes, name);
    }

    /// <summary>In the words of the reader, and more where there is more.</summary>
    [Fact]
    public void What_a_reader_refuses_is_found()
    {
        foreach ((string name, Action<VhdxBuilder> change, string message) in VhdxHostileTests.Cases.Where(one => one.Name != "signature"))
        {
            var builder = new VhdxBuilder(3 * MiB);
            change(builder);
            Qcow2CheckResult result = CheckJudge.Check("vhdx", builder.Bytes);
            Assert.True(result.Corruptions + result.CheckErrors > 0, name);
            Assert.True(result.Findings.Any(finding => finding.Message.Contains(message, StringComparison.Ordinal)), $"{name}: {string.Join(" | ", result.Findings.Select(finding => finding.Message))}");
            CheckJudge.AssertAgreesWithReader("vhdx", builder.Bytes, name);
        }

        Assert.Contains("no VHDX file", Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("vhdx", new byte[4096])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sound_file_has_no_findings_and_right_numbers()
    {
        Qcow2CheckResult result = CheckJudge.Check("vhdx", Sound().Bytes, untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((3, 5, 0, 7 * MiB), (result.AllocatedClusters, result.TotalClusters, result.FragmentedClusters, result.ImageEndOffset));
    }

    [Fact]
    public void All_faults_of_the_metadata_are_found_at_once()
    {
        VhdxBuilder builder = Sound();
        VhdxHostileTests.Metadata(builder, 3, 0, 0x1234);
        VhdxHostileTests.Metadata(builder, 4, 16, 100);
        Qcow2CheckResult result = CheckJudge.Check("vhdx", builder.Bytes);
        Assert.Equal(3, result.CheckErrors);
    }

    [Fact]
    public void A_block_cut_off_is_told_from_one_that_is_nowhere()
    {
        Qcow2CheckResult result = CheckJudge.Check("vhdx", Sound().Bytes[..^4096], readData: true);
        CheckJudge.AssertFinds(result, FileCutOff, Corruption, "Block 4", "its end is missing");
        CheckJudge.AssertFinds(result, DataUnreadable, Corruption, "0x400000 to 0x500000");
    }

    [Fact]
    public void Space_that_is_kept_for_a_block_is_in_nobodys_way_and_not_unused()
    {
        VhdxBuilder builder = Sound().SetEntry(2, 3, 5 * MiB);
        CheckJudge.AssertSound(CheckJudge.Check("vhdx", builder.Bytes));
        CheckJudge.AssertSound(CheckJudge.Check("vhdx", builder.SetEntry(1, 6, 5 * MiB).Bytes));
    }

    [Fact]
    public void Blocks_in_part_the_parents_need_their_bitmap()
    {
        VhdxBuilder Child()
        {
            var builder = new VhdxBuilder(5 * MiB, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}"), ("relative_path", @".\parent.vhdx")]);
            builder.Put(0, 7, new byte[MiB]);
            builder.Put(3, 7, new byte[MiB]);
            return builder;
        }

        VhdxBuilder sound = Child();
        sound.PutBitmap(0).Fill(0x0f);
        Assert.Equal([ReferenceToOtherFile], CheckJudge.Check("vhdx", sound.Bytes, untrusted: true, readData: true).Findings.Select(finding => finding.Kind));
        Qcow2CheckResult without = CheckJudge.Check("vhdx", Child().Bytes, untrusted: true);
        CheckJudge.AssertFinds(without, SectorBitmapMissing, Corruption, "Block 0");
        Assert.Equal(1, without.Corruptions);
        VhdxBuilder odd = Child();
        BinaryPrimitives.WriteUInt64LittleEndian(odd.At(TableOffset + (4096 * 8)), 3);
        CheckJudge.AssertFinds(CheckJudge.Check("vhdx", odd.Bytes, untrusted: true), EntryInvalid, Corruption, "state 3");
        BinaryPrimitives.WriteUInt64LittleEndian(odd.At(TableOffset + (4096 * 8)), (4 * MiB) | 6);
        CheckJudge.AssertFinds(CheckJudge.Check("vhdx", odd.Bytes, untrusted: true), BlockOverlap, Corruption, "bitmap", "0x400000");
    }

    [Fact]
    public void A_child_is_held_against_its_parent()
    {
        File.WriteAllBytes(_folder.File("parent.vhdx"), Sound().Bytes);
        Qcow2CheckResult Of(Guid? linkage = null, string name = "parent.vhdx", long size = 5 * MiB, ReferencePolicy? policy = null, bool hasLinkage = true)
        {
            (string, string)[] locator = hasLinkage ? [("parent_linkage", $"{{{linkage ?? VhdxBuilder.DataWriteGuid}}}"), ("relative_path", @".\" + name)] : [("relative_path", @".\" + name)];
            var child = new VhdxBuilder(size, parent: locator);
            File.WriteAllBytes(_folder.File("child.vhdx"), child.Bytes);
            return DiskFormats.Get("vhdx").Check(_folder.File("child.vhdx"), new Qcow2CheckOptions { References = policy ?? ReferencePolicy.Follow });
        }

        Assert.Equal([ReferenceToOtherFile], Of().Findings.Select(finding => finding.Kind));
        CheckJudge.AssertFinds(Of(Guid.Empty), ParentLocatorDamaged, Corruption, "parent_linkage"); // Windows means none by that.
        CheckJudge.AssertFinds(Of(OtherId), ParentMismatch, Corruption, "changed after");
        CheckJudge.AssertFinds(Of(size: 4 * MiB), ParentMismatch, Warning, $"{5 * MiB}");
        CheckJudge.AssertFinds(Of(name: "lost.vhdx"), ParentUnavailable, Error, "not found");
        CheckJudge.AssertFinds(Of(name: "child.vhdx"), ParentUnavailable, Error, "loop");
        CheckJudge.AssertFinds(Of(policy: ReferencePolicy.Forbid), ParentUnavailable, Error);
        CheckJudge.AssertFinds(Of(hasLinkage: false), ParentLocatorDamaged, Corruption, "parent_linkage");
    }

    [Fact]
    public void Tables_that_make_up_the_file_are_not_taken_from_strangers()
    {
        var builder = new VhdxBuilder(1L << 40);
        CheckJudge.AssertFinds(CheckJudge.Check("vhdx", builder.Bytes, untrusted: true), TablesOversized, Warning, "9437184 bytes");
        CheckJudge.AssertSound(CheckJudge.Check("vhdx", builder.Bytes));
    }

    [Fact]
    public void Mutations_are_found_as_readers_find_them()
    {
        var builder = new VhdxBuilder(5 * MiB, parent: [("parent_linkage", $"{{{VhdxBuilder.DataWriteGuid}}}"), ("relative_path", @".\a.vhdx")]);
        builder.Put(0, 6, new byte[MiB]);
        builder.Put(2, 7, new byte[MiB]);
        builder.PutBitmap(0);
        builder.WriteHeaders(VhdxBuilder.LogGuid, 7);
        int next = builder.Log(0, 5, 0, [(4 * MiB, new byte[4096], 0), (TableOffset, builder.At(TableOffset).Slice(0, 4096).ToArray(), 0)]);
        builder.Log(next, 6, 0, [(5 * MiB, null, 8192)]);
        (int Start, int Length)[] structures =
            [(64 << 10, 80), (128 << 10, 80), (192 << 10, 80), (MiB, 160), (MiB + 4096, 16), (2 * MiB, 224), ((2 * MiB) + (64 << 10), 250), (TableOffset, 48), (TableOffset + (4096 * 8), 8)];
        CheckJudge.Fuzz("vhdx", [.. builder.Bytes], 120, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                (int start, int length) = structures[random.Next(structures.Length)];
                file[start + random.Next(length)] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(1 << random.Next(8)) };
            }

            VhdxBuilder.Seal(file.AsSpan(64 << 10, 4096), 4);
            VhdxBuilder.Seal(file.AsSpan(128 << 10, 4096), 4);
            VhdxBuilder.Seal(file.AsSpan(192 << 10, 64 << 10), 4);
            int entry = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(MiB + 8));
            if (entry is > 64 and <= MiB)
            {
                VhdxBuilder.Seal(file.AsSpan(MiB, entry), 4);
            }
        });
    }

    /// <summary>disk2vhd and QEMU write files that nobody finds fault with; what is said of some of them is information.</summary>
    [SampleFact]
    public void Samples_of_other_programs_are_sound()
    {
        (string Name, Qcow2CheckFindingKind[] Said)[] samples =
        [
            ("iotest-dynamic-1G.vhdx", []), ("iotest-dirtylog-10G-4M.vhdx", [MarkedDirty, NotMarkedRequired, NotMarkedRequired, SpaceUnused, SpaceUnused, SpaceUnused]), ("discutils-vhdx-log-replay.vhdx", [MarkedDirty]), ("discutils-btrfs.vhdx", []), ("discutils-swap.vhdx", []), ("velociraptor-test.vhdx", []),
        ];
        foreach ((string name, Qcow2CheckFindingKind[] said) in samples)
        {
            Qcow2CheckResult result = DiskFormats.Get("vhdx").Check(Samples.Unpack(_folder, "vhdx/" + name), new Qcow2CheckOptions { ReadData = true });
            Assert.True(result.IsHealthy, $"{name}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
            Assert.True(said.SequenceEqual(result.Findings.Select(finding => finding.Kind)), $"{name}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
        }

        // Its parent is not to be had.
        Qcow2CheckResult child = DiskFormats.Get("vhdx").Check(Samples.Unpack(_folder, "vhdx/dissect-differencing.avhdx"), new Qcow2CheckOptions { ReadData = true });
        Assert.Equal([ReferenceToOtherFile, ParentUnavailable], child.Findings.Select(finding => finding.Kind));
    }

    /// <summary>QEMU marks no region as required; a fixed one of its own keeps room that nothing refers to, and puts the data behind it.</summary>
    [QemuFact]
    public void What_qemu_img_writes_is_sound()
    {
        byte[] content = new byte[12 << 20];
        new Random(5).NextBytes(content.AsSpan(2 << 20, 1 << 20));
        File.WriteAllBytes(_folder.File("disk.raw"), content);
        foreach (string options in new[] { "subformat=dynamic", "subformat=fixed" })
        {
            string path = _folder.File("disk.vhdx");
            QemuImg.Run("convert", "-f", "raw", "-O", "vhdx", "-o", options, _folder.File("disk.raw"), path);
            Qcow2CheckResult result = DiskFormats.Get("vhdx").Check(path, new Qcow2CheckOptions { Untrusted = true, ReadData = true });
            Assert.True(result.IsHealthy, $"{options}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
            Assert.All(result.Findings, finding => Assert.Contains(finding.Kind, new[] { NotMarkedRequired, SpaceUnused }));
            Assert.Equal(0, QemuImg.TryRun("check", "-f", "vhdx", path).ExitCode);
        }
    }

    /// <summary>Of a VHDX file <c>qemu-img check</c> says no more than whether it can open it and whether there is a log: what it refuses is found here.</summary>
    [QemuFact]
    public void What_qemu_img_check_refuses_is_found()
    {
        string path = _folder.File("disk.vhdx");
        int refused = 0;
        foreach ((string name, Action<VhdxBuilder> change, _, Qcow2CheckSeverity severity, _, _) in Cases.Where(one => !one.Name.StartsWith("bitmap", StringComparison.Ordinal)))
        {
            VhdxBuilder builder = Sound();
            change(builder);
            File.WriteAllBytes(path, builder.Bytes);
            bool isRefused = QemuImg.TryRun("check", "-f", "vhdx", path).ExitCode != 0;
            refused += isRefused ? 1 : 0;
            Assert.True(!isRefused || severity != Information || DiskFormats.Get("vhdx").Check(path).IsDirty, name);
        }

        Assert.InRange(refused, 5, Cases.Length);
    }

    private static VhdxBuilder Sound()
    {
        var builder = new VhdxBuilder(5 * MiB);
        byte[] data = new byte[MiB];
        new Random(1).NextBytes(data);
        builder.Put(0, 6, data);
        builder.Put(2, 6, data);
        builder.Put(4, 6, data);
        return builder;
    }

    private static int WithLog(VhdxBuilder builder, params (long Offset, byte[]? Data, long Zeros)[] patches) => WithLog(builder, null, patches);

    private static int WithLog(VhdxBuilder builder, Action<byte[]>? change, params (long Offset, byte[]? Data, long Zeros)[] patches)
    {
        builder.WriteHeaders(VhdxBuilder.LogGuid, 7);
        return builder.Log(0, 5, 0, patches, change);
    }

    private static void AddRegion(VhdxBuilder builder, long offset, int required)
    {
        foreach (int place in new[] { 192 << 10, 256 << 10 })
        {
            Span<byte> entry = builder.At(place + 80);
            OtherId.ToByteArray().CopyTo(entry);
            BinaryPrimitives.WriteInt64LittleEndian(entry.Slice(16), offset);
            BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(24), MiB);
            BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(28), required);
            BinaryPrimitives.WriteInt32LittleEndian(builder.At(place + 8), 3);
        }

        builder.SealRegionTables();
    }
}
