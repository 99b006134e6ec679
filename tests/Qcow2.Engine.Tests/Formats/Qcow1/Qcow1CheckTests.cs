using System.Buffers.Binary;
using Qcow2.Tests;
using static Qcow2.Engine.Qcow2CheckFindingKind;
using static Qcow2.Engine.Qcow2CheckSeverity;
using static Qcow2.Engine.Tests.Formats.Qcow1.Qcow1Builder;

namespace Qcow2.Engine.Tests.Formats.Qcow1;

/// <summary>Each damage that a QCOW image of version 1 can have is found, named and counted. qemu-img checks none.</summary>
public sealed class Qcow1CheckTests : IDisposable
{
    private const int FirstCluster = L2Offset + 512;

    private readonly TempFolder _folder = new();

    /// <summary>Five clusters, of which two are data and one is compressed, with one thing wrong; and what is said of it.</summary>
    private static readonly (string Name, Action<byte[]> Change, Qcow2CheckFindingKind Kind, Qcow2CheckSeverity Severity, long Corruptions, string Words)[] Cases =
    [
        ("cluster bits", file => file[32] = 20, HeaderDamaged, Error, 0, "cluster_bits is 20"),
        ("encrypted", file => file[39] = 1, PassphraseNeeded, Information, 0, "encrypted"),
        ("method", file => file[39] = 2, FeatureUnknown, Error, 0, "crypt_method is 2"),
        ("L1 past the end", file => Set(file, 40, 1UL << 40), HeaderDamaged, Error, 0, "L1 table"),
        ("L2 misaligned", file => Set(file, L1Offset, L2Offset + 1), Misaligned, Corruption, 1, "no place of a table"),
        ("L2 past the end", file => Set(file, L1Offset, 1UL << 40), PastEndOfFile, Corruption, 1, "Entry 0 of the L1 table"),
        ("L2 on the L1", file => Set(file, L1Offset, L1Offset), MetadataOverlap, Corruption, 1, "something else"),
        ("cluster misaligned", file => Set(file, L2Offset, FirstCluster + 8), Misaligned, Corruption, 1, "no sector"),
        ("cluster past the end", file => Set(file, L2Offset, 1UL << 40), PastEndOfFile, Corruption, 1, "past the end"),
        ("cluster on a table", file => Set(file, L2Offset, L2Offset), BlockOverlap, Corruption, 1, "something else"),
        ("compressed past the end", file => Set(file, L2Offset, (1UL << 63) | (1UL << 40)), PastEndOfFile, Corruption, 1, "compressed"),
    ];

    public static TheoryData<string> Names => new(Cases.Select(one => one.Name));

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void What_is_wrong_is_found(string name)
    {
        (_, Action<byte[]> change, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, long corruptions, string words) = Cases.Single(one => one.Name == name);
        byte[] file = Sound();
        change(file);
        Qcow2CheckResult result = CheckJudge.Check("qcow", file);
        CheckJudge.AssertFinds(result, kind, severity, words);
        Assert.Equal(corruptions, result.Corruptions);
        if (kind != PassphraseNeeded)
        {
            CheckJudge.AssertAgreesWithReader("qcow", file, name);
        }
    }

    [Fact]
    public void Sound_images_are_called_so_and_compressed_data_are_tried_on_request()
    {
        byte[] file = Sound();
        Qcow2CheckResult result = CheckJudge.Check("qcow", file, untrusted: true, readData: true);
        CheckJudge.AssertSound(result);
        Assert.Equal((3, 1, 5), (result.AllocatedClusters, result.CompressedClusters, result.TotalClusters));
        file[^20] ^= 0xff;
        file[^21] ^= 0xff;
        CheckJudge.AssertSound(CheckJudge.Check("qcow", file));
        CheckJudge.AssertFinds(CheckJudge.Check("qcow", file, readData: true), DataUnreadable, Corruption, "deflate");
        byte[] child = Build("d-", 2 * ClusterSize, backing: "/etc/passwd").File;
        CheckJudge.AssertFinds(CheckJudge.Check("qcow", child, untrusted: true), ReferenceToOtherFile, Warning, "/etc/passwd");
    }

    [QemuFact]
    public void What_qemu_img_writes_is_sound()
    {
        byte[] content = new byte[5 << 20];
        new Random(5).NextBytes(content.AsSpan(2 << 20, 1 << 20));
        content.AsSpan(4 << 20).Fill(7);
        File.WriteAllBytes(_folder.File("disk.raw"), content);
        QemuImg.Run("convert", "-f", "raw", "-O", "qcow", _folder.File("disk.raw"), _folder.File("disk.qcow"));
        CheckJudge.AssertSound(DiskFormats.Get("qcow").Check(_folder.File("disk.qcow"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }));
    }

    [SampleFact]
    public void Samples_of_other_programs_are_sound()
        => CheckJudge.AssertSound(DiskFormats.Get("qcow").Check(Samples.Unpack(_folder, "qcow1/sleuthkit-image.qcow"), new Qcow2CheckOptions { Untrusted = true, ReadData = true }));

    [Fact]
    public void Mutations_are_found_as_readers_find_them()
        => CheckJudge.Fuzz("qcow", Sound(), 200, (random, file) =>
        {
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(3) switch { 0 => random.Next(48), 1 => L1Offset + random.Next(8), _ => L2Offset + random.Next(40) };
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }

            file[39] = 0; // Nobody reads what is encrypted.
        });

    private static byte[] Sound() => Build("d-d-c", 5 * ClusterSize).File;

    private static void Set(byte[] file, int at, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(at), value);
}
