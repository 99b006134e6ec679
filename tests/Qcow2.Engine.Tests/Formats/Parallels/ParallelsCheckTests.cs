using System.Buffers.Binary;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;

namespace Qcow2.Engine.Tests.Formats.Parallels;

/// <summary>Each damage that an expanding disk of Parallels can have is found, named and counted.</summary>
public sealed class ParallelsCheckTests : IDisposable
{
    private const int Block = 8 * 512;

    private readonly TempFolder _folder = new();

    /// <summary>Five blocks, of which three are in the file from the second block on, with one thing wrong; and what is said of it.</summary>
    private static readonly (string Name, Action<byte[]> Change, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string Words)[] Cases =
    [
        ("version", file => Set(file, 16, 3), FeatureUnknown, Error, 0, "version 3"),
        ("block size", file => Set(file, 28, 0), HeaderDamaged, Error, 0, "blocks of 0"),
        ("table too short", file => Set(file, 32, 4), HeaderDamaged, Error, 0, "needs 5"),
        ("table too long", file => Set(file, 32, 6), TableSizeWrong, Information, 0, "6 entries"),
        ("in use", file => Set(file, 44, 0x746f_6e59), MarkedDirty, Warning, 0, "in use"),
        ("block past the end", file => Set(file, 64, 4), PastEndOfFile, Corruption, 1, "past the end"),
        ("two blocks in one place", file => Set(file, 68, 1), BlockOverlap, Corruption, 1, "Block 1 of the disk, at 0x1000"),
        ("block given up", file => Set(file, 64, 0), SpaceUnused, Leak, 0, "4096 bytes at 0x1000"),
    ];

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (_, Action<byte[]> change, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string words) = Cases.Single(one => one.Name == name);
        byte[] file = Sound(ParallelsDiskTests.New);
        change(file);
        Qcow2CheckResult result = CheckJudge.Check("parallels", file);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        CheckJudge.AssertAgreesWithReader("parallels", file, name);
    }

    /// <summary>In old files entries count sectors, so that a block can lie anywhere.</summary>
    [Fact]
    public void Blocks_of_old_files_are_found_where_they_are()
    {
        byte[] file = Sound("WithoutFreeSpace");
        CheckJudge.AssertSound(CheckJudge.Check("parallels", file, untrusted: true, readData: true));
        Set(file, 68, 3);
        CheckJudge.AssertFinds(CheckJudge.Check("parallels", file), BlockOverlap, Corruption, "Block 1 of the disk, at 0x600");
        Set(file, 64, 0);
        file[60] = 1; // Not the lower half of where the extension is.
        CheckJudge.AssertFinds(CheckJudge.Check("parallels", [.. Sound(ParallelsDiskTests.New)[..^512]]), FileCutOff, Corruption, "cut off");
    }

    [Fact]
    public void Sound_files_are_called_so()
    {
        Qcow2CheckResult result = CheckJudge.Check("parallels", Sound(ParallelsDiskTests.New), untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((3, 5, 4 * Block), (result.AllocatedClusters, result.TotalClusters, result.ImageEndOffset));
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("parallels", new byte[4096])).Code);
    }

    [QemuFact]
    public void What_qemu_img_writes_is_sound_and_what_it_finds_is_found()
    {
        byte[] content = new byte[5 << 20];
        new Random(5).NextBytes(content.AsSpan(2 << 20, 2 << 20));
        File.WriteAllBytes(_folder.File("disk.raw"), content);
        QemuImg.Run("convert", "-f", "raw", "-O", "parallels", _folder.File("disk.raw"), _folder.File("disk.hds"));
        CheckJudge.AssertSound(DiskFormats.Get("parallels").Check(_folder.File("disk.hds"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }));
        foreach ((string name, Action<byte[]> change, _, _, _, _) in Cases)
        {
            byte[] file = Sound(ParallelsDiskTests.New);
            change(file);
            File.WriteAllBytes(_folder.File("case.hds"), file);
            Assert.True(
                QemuImg.TryRun("check", "-f", "parallels", _folder.File("case.hds")).ExitCode == 0 || !DiskFormats.Get("parallels").Check(_folder.File("case.hds")).IsHealthy, name);
        }
    }

    [SampleFact]
    public void Samples_of_other_programs_are_sound()
    {
        foreach (string name in new[] { "parallels-v1", "parallels-v2", "parallels-with-bitmap", "dissect-expanding" })
        {
            Qcow2CheckResult result = DiskFormats.Get("parallels").Check(Samples.Unpack(_folder, $"parallels/{name}.hds"), new Qcow2CheckOptions { ReadData = true });
            Assert.True(result.Corruptions + result.CheckErrors + result.Leaks == 0, $"{name}: {string.Join("\n", result.Findings.Select(finding => finding.Message))}");
        }
    }

    [Fact]
    public void Mutations_are_found_as_readers_find_them()
        => CheckJudge.Fuzz("parallels", Sound(ParallelsDiskTests.New), 200, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(84);
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }
        });

    private static byte[] Sound(string magic) => ParallelsDiskTests.Build(magic, [1, 2, 0, 3, 0], 8, 0).File;

    private static void Set(byte[] file, int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
}
