using System.Globalization;
using System.Text.RegularExpressions;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Comparison;

/// <summary>
/// What counts as a difference, beside <c>qemu-img compare</c>, for each pair of disks that differ in content, size or how the same bytes are
/// stored.
/// </summary>
public sealed partial class StrictComparisonTests : IDisposable
{
    private const string Passphrase = "secret";
    private const string Secret = $"secret,id=s,data={Passphrase}";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <remarks>
    /// All of the disks end in a cluster of data that stands alone. QEMU also takes it for a difference if the last stretch of one disk
    /// is longer than the other's, even if only because the other lies in two places; see <see cref="Fragments_and_cluster_sizes_are_no_difference"/>.
    /// </remarks>
    [QemuFact]
    public void Verdicts_and_offsets_are_those_of_qemu_img()
    {
        List<Disk> disks = [.. CreateDisks()];
        int alike = 0;
        for (int i = 0; i < disks.Count; i++)
        {
            for (int j = i; j < disks.Count; j++)
            {
                Disk one = disks[i];
                Disk other = disks[j];
                if ((i + j) % 3 == 0)
                {
                    AssertAgrees(one, other, isStrict: false); // A part of the pairs: there are few rules.
                }

                alike += AssertAgrees(one, other, isStrict: true) ? 1 : 0;
            }
        }

        Assert.True(alike > disks.Count, $"{alike} pairs alike: no two different disks count as equal, so that the rules are not tried.");
    }

    [QemuFact]
    public void Zeros_past_a_short_backing_file_are_as_if_they_were_written()
    {
        Image("short", "256k", [], "write -P 1 64k 64k");
        string[] layout = [$"backing_file={_folder.File("short.qcow2")}", "backing_fmt=qcow2"];
        Disk shown = Image("shown", "1M", layout, "write -P 7 960k 64k");
        Disk written = Image("written", "1M", layout, "write -z -u 256k 704k", "write -P 7 960k 64k");
        Disk partly = Image("partly", "1M", layout, "write -P 3 128k 128k", "write -z -u 256k 704k", "write -P 7 960k 64k");

        Assert.True(AssertAgrees(shown, written, isStrict: true));
        Assert.False(AssertAgrees(shown, partly, isStrict: true));
    }

    [Fact]
    public void Fragments_and_cluster_sizes_are_no_difference()
    {
        using Qcow2Image whole = Create(65_536);
        using Qcow2Image scattered = Create(65_536);
        using Qcow2Image large = Create(2 << 20);
        byte[] data = new byte[4 << 20];
        new Random(1).NextBytes(data);
        whole.Write(0, data);
        large.Write(0, data);
        scattered.Write(2 << 20, data.AsSpan(2 << 20));
        scattered.Write(0, data.AsSpan(0, 2 << 20));
        Assert.NotEqual(whole.GetExtents().Count(), scattered.GetExtents().Count());

        Assert.True(DiskComparer.Compare(whole, scattered, new DiskCompareOptions { IsStrict = true }).AreEqual);
        Assert.True(DiskComparer.Compare(whole, large, new DiskCompareOptions { IsStrict = true }).AreEqual);

        static Qcow2Image Create(int clusterSize)
            => Qcow2Image.Create(new MemoryStorage([]), 4 << 20, new Qcow2CreateOptions { ClusterSize = clusterSize });
    }

    [Fact]
    public void Size_and_allocation_are_told_apart_from_content()
    {
        using Qcow2Image disk = Qcow2Image.Create(new MemoryStorage([]), 4 << 20);
        using Qcow2Image other = Qcow2Image.Create(new MemoryStorage([]), (4 << 20) + 512);
        disk.Write(1 << 20, new byte[65_536]);
        other.Write(3 << 20, [1]);

        Qcow2CompareResult result = DiskComparer.Compare(disk, other, new DiskCompareOptions { IsStrict = true });
        Assert.Equal((false, true, true), (result.AreEqual, result.IsSizeDifferent, result.IsStrict));
        Assert.Equal((4 << 20, (4 << 20) + 512), (result.Size, result.DifferenceSize));
        Assert.Equal((1 << 20, 3 << 20), (result.FirstAllocationDifference, result.FirstDifference));
        Assert.Equal([new DiskRange(3 << 20, 4096)], result.Ranges);

        Qcow2CompareResult lenient = DiskComparer.Compare(disk, other);
        Assert.Equal((false, true), (lenient.IsStrict, lenient.IsSizeDifferent));
        Assert.Null(lenient.FirstAllocationDifference);

        Qcow2CompareResult quick = DiskComparer.Compare(disk, other, new DiskCompareOptions { IsStrict = true, StopAtFirst = true });
        Assert.False(quick.AreEqual);
        Assert.Equal((null, null, null), (quick.FirstDifference, quick.FirstAllocationDifference, quick.DifferingBytes));
    }

    private static bool AssertAgrees(Disk one, Disk other, bool isStrict)
    {
        string[] arguments = ["compare", "--object", Secret, "--image-opts", .. isStrict ? (string[])["-s"] : [], one.ForQemu, other.ForQemu];
        ProgramResult judged = QemuImg.TryRun(arguments);
        Assert.True(judged.ExitCode is 0 or 1, judged.Error);
        using VirtualDisk disk = one.Open();
        using VirtualDisk difference = other.Open();
        var options = new DiskCompareOptions { IsStrict = isStrict, StopAtFirst = true };

        Qcow2CompareResult result = DiskComparer.Compare(disk, difference, options);

        string label = $"{one.Name}, {other.Name}, strict: {isStrict}: {judged.Output}";
        Assert.True(result.AreEqual == (judged.ExitCode == 0), label);
        Assert.Equal(result.AreEqual, DiskComparer.Compare(difference, disk, options).AreEqual);
        long? offset = OffsetPattern().Match(judged.Output) is { Success: true } match ? long.Parse(match.Value, CultureInfo.InvariantCulture) : null;
        Assert.True(offset == (result.FirstAllocationDifference ?? (result.FirstDifference & ~511L)), label);
        Assert.Equal(judged.Output.Contains("status mismatch", StringComparison.Ordinal), result.FirstAllocationDifference is not null);
        Assert.Equal(disk.Length != difference.Length, result.IsSizeDifferent);
        return result.AreEqual;
    }

    private IEnumerable<Disk> CreateDisks()
    {
        const string Size = "2M";
        const string Last = "write -P 7 1984k 64k";
        yield return Image("unallocated", Size, [], Last);
        yield return Image("zero", Size, [], "write -z -u 64k 64k", Last);
        yield return Image("zero-placed", Size, [], "write -P 1 64k 64k", "write -z 64k 64k", Last);
        yield return Image("zero-data", Size, [], "write -P 0 64k 64k", Last);
        yield return Image("data", Size, [], "write -P 1 64k 64k", Last);
        yield return Image("data-elsewhere", Size, [], "write -P 1 512k 64k", "write -P 1 64k 64k", "discard 512k 64k", "write -z -u 512k 64k", Last);
        yield return Image("other-data", Size, [], "write -P 1 64k 64k", "write -P 2 80001 1", Last);
        yield return Image("compressed", Size, [], "write -c -P 1 64k 64k", Last);
        yield return Image("extended", Size, ["extended_l2=on"], "write -P 1 64k 64k", Last);
        yield return Image("small-clusters", Size, ["cluster_size=4k"], "write -P 1 64k 64k", Last);
        yield return Image("version-2", Size, ["compat=0.10"], "write -P 1 64k 64k", Last);
        yield return Image("longer", "3M", [], "write -P 1 64k 64k", Last, "write -P 7 3008k 64k");
        yield return Image("longer-data", "3M", [], "write -P 1 64k 64k", Last, "write -P 1 2500k 4k", "write -P 7 3008k 64k");
        yield return Image("over-data", Size, [$"backing_file={_folder.File("data.qcow2")}", "backing_fmt=qcow2"], Last);
        yield return Image("over-raw", Size, [$"backing_file={Raw("base.raw", 2 << 20).Path}", "backing_fmt=raw"], Last);
        yield return Encrypted("encrypted", "write -P 1 64k 64k", Last);
        yield return Encrypted("encrypted-zero", "write -P 1 64k 64k", "write -z 64k 64k", Last);
        yield return Raw("raw.raw", 2 << 20);
    }

    private Disk Image(string name, string size, string[] layout, params string[] writes)
    {
        string path = _folder.File(name + ".qcow2");
        QemuImg.Run(["create", "-q", "-f", "qcow2", .. layout.SelectMany(option => new[] { "-o", option }), path, size]);
        QemuImg.RunIo([.. writes.SelectMany(write => new[] { "-c", write }), path]);
        return new Disk(name, path, $"driver=qcow2,file.filename={path}", () => Qcow2Image.Open(path));
    }

    /// <summary>By the legacy method, which derives no key: qemu-img would take its time for that, again and again.</summary>
    private Disk Encrypted(string name, params string[] writes)
    {
        string path = _folder.File(name + ".qcow2");
        string options = $"driver=qcow2,encrypt.key-secret=s,file.filename={path}";
        QemuImg.Run("create", "-q", "--object", Secret, "-f", "qcow2", "-o", "encrypt.format=aes,encrypt.key-secret=s", path, "2M");
        QemuImg.RunIo(["--object", Secret, "--image-opts", .. writes.SelectMany(write => new[] { "-c", write }), options]);
        return new Disk(name, path, options, () =>
        {
            using Passphrase passphrase = Engine.Passphrase.FromString(Passphrase);
            return Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = passphrase });
        });
    }

    /// <summary>The content of most of the disks, with holes.</summary>
    private Disk Raw(string name, int size)
    {
        string path = _folder.File(name);
        using (FileStream file = File.Create(path))
        {
            file.SetLength(size);
            Write(file, 65_536, 1);
            Write(file, size - 65_536, 7);
        }

        return new Disk(name, path, $"driver=raw,file.filename={path}", () => RawDisk.Open(path));

        static void Write(FileStream file, long offset, byte value)
        {
            byte[] data = new byte[65_536];
            data.AsSpan().Fill(value);
            file.Position = offset;
            file.Write(data);
        }
    }

    [GeneratedRegex(@"(?<=[Oo]ffset )\d+")]
    private static partial Regex OffsetPattern();

    private sealed record Disk(string Name, string Path, string ForQemu, Func<VirtualDisk> Open);
}
