using System.Buffers.Binary;
using System.Text.Json;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;

namespace Qcow2.Engine.Tests.Formats.Vdi;

/// <summary>Each damage that a VDI file can have is found, named and counted, as qemu-img counts it.</summary>
public sealed class VdiCheckTests : IDisposable
{
    private const int MiB = 1 << 20;
    private const uint Free = uint.MaxValue;
    private const uint Zero = uint.MaxValue - 1;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => [.. Cases.Keys];

    public static TheoryData<string> MapNames => [.. Cases.Where(one => one.Value.IsJudged).Select(one => one.Key)];

    /// <summary>A disk of five blocks, of which three are in the file, with one thing wrong; and what is said of it. QEMU looks at the map alone.</summary>
    private static Dictionary<string, (byte[] File, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string[] Words, bool IsJudged)> Cases { get; } = new()
    {
        ["entry past the blocks"] = (With(MiB + 4, 5), PastEndOfFile, Corruption, 2, ["Block 1 ", "number 5"], true),
        ["entry far past the end"] = (With(MiB + 4, 0xffff_fffd), PastEndOfFile, Corruption, 2, ["Block 1 ", "number 4294967293"], true),
        ["entry past the file"] = (With(MiB + 4, 4), PastEndOfFile, Corruption, 1, ["Block 1 ", "number 4", "ends at 0x500000"], false),
        ["block cut off"] = (Sound()[..^4096], FileCutOff, Corruption, 1, ["Block 4 ", "its end is missing"], false),
        ["two blocks in one place"] = (With(MiB + 4, 0), BlockOverlap, Corruption, 1, ["Block 1 ", "number 0"], true),
        ["count too high"] = (With(388, 4), CountWrong, Corruption, 1, ["4 blocks are allocated", "has 3"], true),
        ["count too low"] = (With(388, 0), CountWrong, Corruption, 1, ["0 blocks are allocated"], true),
        ["block given up"] = (With(MiB + 4, Free, 388, 2), SpaceUnused, Leak, 0, ["1048576 bytes at 0x300000"], true),
        ["entry too many"] = (With(384, 6, MiB + 20, Free), TableSizeWrong, Information, 0, ["6 entries", "needs 5"], true),
        ["entries over data"] = (With(384, 300_000), TableSizeWrong, Warning, 262_140, ["300000 entries", "where data begin"], false),
        ["version"] = (With(68, 0x0002_0000), FeatureUnknown, Error, 0, ["version 2.0"], false),
        ["type 3"] = (With(76, 3), FeatureUnknown, Error, 0, ["undo"], false),
        ["type 5"] = (With(76, 5), FeatureUnknown, Error, 0, ["type 5"], false),
        ["map in the header"] = (With(340, 100), HeaderDamaged, Error, 0, ["block map"], false),
        ["map past the end"] = (With(340, 0xffff_fff0), HeaderDamaged, Error, 0, ["block map"], false),
        ["data in the map"] = (With(344, 0), HeaderDamaged, Error, 0, ["in the block map"], false),
        ["sectors"] = (With(360, 4096), FeatureUnknown, Error, 0, ["sectors of 4096"], false),
        ["block size"] = (With(376, 0), HeaderDamaged, Error, 0, ["blocks of 0"], false),
        ["extra bytes"] = (With(380, 100), HeaderDamaged, Error, 0, ["before each block"], false),
        ["too few entries"] = (With(384, 4), HeaderDamaged, Error, 0, ["needs 5"], false),
        ["size"] = (With(372, 0x7fff_ffff), HeaderDamaged, Error, 0, ["limit"], false),
        ["type 4 and no parent"] = (With(76, 4), HeaderDamaged, Warning, 0, ["names no parent"], true),
    };

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (byte[] file, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string[] words, _) = Cases[name];
        Qcow2CheckResult result = CheckJudge.Check("vdi", file);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        CheckJudge.AssertAgreesWithReader("vdi", file, name);
    }

    /// <summary>What lies past the end of the file QEMU does not look for here: it shows zeros there.</summary>
    [QemuTheory, MemberData(nameof(MapNames))]
    public void Corruptions_are_those_of_qemu_img(string name)
    {
        File.WriteAllBytes(_folder.File("disk.vdi"), Cases[name].File);
        using var said = JsonDocument.Parse(QemuImg.TryRun("check", "-f", "vdi", "--output=json", _folder.File("disk.vdi")).Output);
        long corruptions = said.RootElement.TryGetProperty("corruptions", out JsonElement count) ? count.GetInt64() : 0;
        Assert.Equal(corruptions, DiskFormats.Get("vdi").Check(_folder.File("disk.vdi")).Corruptions);
    }

    [Fact]
    public void A_sound_file_has_no_findings_and_right_numbers()
    {
        Qcow2CheckResult result = CheckJudge.Check("vdi", Sound(), untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((3, 5, 0, 5 * MiB), (result.AllocatedClusters, result.TotalClusters, result.FragmentedClusters, result.ImageEndOffset));
        (byte[] odd, _) = VdiDiskTests.Build(new Random(2), [1, Free, 0, Zero, 2], 1, 512, (5 * MiB) - 1024);
        CheckJudge.AssertSound(CheckJudge.Check("vdi", odd, untrusted: true, readData: true));
    }

    [Fact]
    public void A_child_is_said_to_need_a_parent_that_nobody_can_find()
    {
        (byte[] file, _) = VdiDiskTests.Build(new Random(1), [0, Free, Zero, 1, Free], 4, 0, 5 * MiB);
        file[424] = 7;
        Qcow2CheckResult result = CheckJudge.Check("vdi", file, readData: true);
        Assert.Equal([ReferenceToOtherFile, ParentUnavailable], result.Findings.Select(finding => finding.Kind));
        Qcow2CheckResult untrusted = CheckJudge.Check("vdi", file, untrusted: true);
        CheckJudge.AssertFinds(untrusted, ReferenceToOtherFile, Warning, "00000007-");
        file[76] = 1;
        CheckJudge.AssertFinds(CheckJudge.Check("vdi", file), HeaderDamaged, Warning, "type 1", "names a parent");
    }

    [Fact]
    public void Tables_that_make_up_the_file_are_not_taken_from_strangers()
    {
        byte[] file = new byte[10 * MiB];
        Sound().AsSpan(0, 512).CopyTo(file);
        (int At, ulong Value)[] fields = [(340, 512), (344, 10 * MiB), (368, 2_000_000UL * MiB), (384, 2_000_000), (388, 0)];
        foreach ((int at, ulong value) in fields)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), (uint)value);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(368), 2_000_000UL * MiB);
        file.AsSpan(512).Fill(0xff);
        CheckJudge.AssertFinds(CheckJudge.Check("vdi", file, untrusted: true), TablesOversized, Warning, "8000000 bytes");
        CheckJudge.AssertSound(CheckJudge.Check("vdi", file));
    }

    [Fact]
    public void What_is_no_VDI_file_is_an_error()
        => Assert.Contains("no VDI file", Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("vdi", new byte[1024])).Message, StringComparison.Ordinal);

    [Fact]
    public void Mutations_are_found_as_readers_find_them()
        => CheckJudge.Fuzz("vdi", Sound(), 150, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(2) == 0 ? 64 + random.Next(400) : MiB + random.Next(20);
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }
        });

    [SampleFact]
    public void Samples_of_other_programs_are_sound()
        => CheckJudge.AssertSound(DiskFormats.Get("vdi").Check(Samples.Unpack(_folder, "vdi/dissect-basic.vdi"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }));

    [QemuFact]
    public void What_qemu_img_writes_is_sound()
    {
        byte[] content = new byte[(5 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(2 << 20, 1 << 20));
        File.WriteAllBytes(_folder.File("disk.raw"), content);
        foreach (string options in new[] { "static=off", "static=on" })
        {
            QemuImg.Run("convert", "-f", "raw", "-O", "vdi", "-o", options, _folder.File("disk.raw"), _folder.File("disk.vdi"));
            CheckJudge.AssertSound(DiskFormats.Get("vdi").Check(_folder.File("disk.vdi"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }), options);
        }
    }

    private static byte[] Sound() => VdiDiskTests.Build(new Random(1), [0, 1, Free, Zero, 2], 1, 0, 5 * MiB).File;

    private static byte[] With(int at, uint value, int other = 0, uint otherValue = 0)
    {
        byte[] file = Sound();
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        if (other > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(other), otherValue);
        }

        return file;
    }
}
