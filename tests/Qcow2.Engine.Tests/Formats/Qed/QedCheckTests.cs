using System.Buffers.Binary;
using System.Text.Json;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;
using static Qcow2.Engine.Tests.Formats.Qed.QedDiskTests;

namespace Qcow2.Engine.Tests.Formats.Qed;

/// <summary>Each damage that a QED image can have is found, named and counted; qemu-img is the judge.</summary>
public sealed class QedCheckTests : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>Eight clusters, of which five are in the file, with one thing wrong; and what is said of it.</summary>
    private static readonly (string Name, Action<byte[]> Change, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string Words)[] Cases =
    [
        ("features", file => Set(file, 16, 8), FeatureUnknown, Error, 0, "features that are not known"),
        ("cluster size", file => Set(file, 4, 5000), HeaderDamaged, Error, 0, "clusters of 5000"),
        ("L1 past the end", file => Set(file, 40, 1 << 30), HeaderDamaged, Error, 0, "L1 table"),
        ("not closed", file => Set(file, 16, 2), MarkedDirty, Warning, 0, "not closed"),
        ("L2 misaligned", file => Set(file, L1, L2 + 512), Misaligned, Corruption, 1, "not a multiple"),
        ("L2 past the end", file => Set(file, L1, 1 << 30), PastEndOfFile, Corruption, 1, "entry 0 of the L1 table"),
        ("L2 on the L1", file => Set(file, L1, L1), MetadataOverlap, Corruption, 2, "lies where something else"),
        ("cluster misaligned", file => Set(file, L2 + 8, Data + 512), Misaligned, Corruption, 1, "does not start"),
        ("cluster past the end", file => Set(file, L2 + 8, 1 << 30), PastEndOfFile, Corruption, 1, "past the end"),
        ("cluster in the header", file => Set(file, L2 + 8, Cluster), MetadataOverlap, Corruption, 1, "lies in the header"),
        ("cluster on a table", file => Set(file, L2 + 8, L2), BlockOverlap, Corruption, 1, "something else"),
        ("two clusters in one place", file => Set(file, L2 + 8, Data), BlockOverlap, Corruption, 1, "something else"),
        ("cluster given up", file => Set(file, L2, 0), SpaceUnused, Leak, 0, "bytes at"),
    ];

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (_, Action<byte[]> change, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string words) = Cases.Single(one => one.Name == name);
        byte[] file = Sound();
        change(file);
        Qcow2CheckResult result = CheckJudge.Check("qed", file);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        CheckJudge.AssertAgreesWithReader("qed", file, name);
    }

    [QemuTheory, MemberData(nameof(Names))]
    public void Numbers_are_those_of_qemu_img(string name)
    {
        byte[] file = Sound();
        Cases.Single(one => one.Name == name).Change(file);
        File.WriteAllBytes(_folder.File("disk.qed"), file);
        ProgramResult judge = QemuImg.TryRun("check", "-f", "qed", "--output=json", _folder.File("disk.qed"));
        Qcow2CheckResult ours = DiskFormats.Get("qed").Check(_folder.File("disk.qed"));
        if (judge.ExitCode == 1)
        {
            Assert.True(ours.CheckErrors > 0, judge.Error); // It does not open it.
            return;
        }

        using var said = JsonDocument.Parse(judge.Output);
        Assert.Equal((Number("corruptions"), Number("leaks")), (ours.Corruptions, ours.Leaks));

        long Number(string property) => said.RootElement.TryGetProperty(property, out JsonElement value) ? value.GetInt64() : 0;
    }

    [Fact]
    public void Sound_images_are_called_so()
    {
        Qcow2CheckResult result = CheckJudge.Check("qed", Sound(), untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((5, 8, 0), (result.AllocatedClusters, result.TotalClusters, result.FragmentedClusters));
        byte[] child = Build("d-zd", 4 * Cluster, 1, "/etc/passwd").File;
        CheckJudge.AssertFinds(CheckJudge.Check("qed", child), ReferenceToOtherFile, Information, "/etc/passwd");
        CheckJudge.AssertFinds(CheckJudge.Check("qed", child, untrusted: true), ReferenceToOtherFile, Warning, "/etc/passwd");
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Assert.Throws<Qcow2Exception>(() => CheckJudge.Check("qed", new byte[4096])).Code);
    }

    [Fact]
    public void Mutations_are_found_as_readers_find_them()
        => CheckJudge.Fuzz("qed", Sound(), 200, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(3) switch { 0 => random.Next(64), 1 => L1 + random.Next(16), _ => L2 + random.Next(64) };
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }
        });

    private static byte[] Sound() => Build("ddzd-d-d", 8 * Cluster).File;

    private static void Set(byte[] file, int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
}
