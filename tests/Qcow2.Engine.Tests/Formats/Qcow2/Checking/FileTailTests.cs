using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>A file that lost its last bytes is found out, and files that QEMU lets end inside a cluster are not.</summary>
public sealed class FileTailTests
{
    public static TheoryData<string> Sound => Fixtures.Sound;

    [Theory, MemberData(nameof(Sound))]
    public void Files_of_qemu_are_whole(string name)
    {
        Qcow2CheckResult result = Qcow2Checker.Check(Fixtures.Get(name).Path, new Qcow2CheckOptions { Untrusted = true });
        Assert.DoesNotContain(result.Findings, finding => finding.Kind == Qcow2CheckFindingKind.FileCutOff);
    }

    [Theory]
    [InlineData("data", 1)]
    [InlineData("data", 512)]
    [InlineData("data", 4095)]
    [InlineData("subclusters", 513)]
    [InlineData("compressed", 600)]
    public void A_cut_is_a_finding_and_of_an_untrusted_image_a_warning(string kind, int lost)
    {
        byte[] image = Make(kind);
        Qcow2CheckResult whole = Qcow2Checker.Check(new MemoryStorage([.. image]), new Qcow2CheckOptions { Untrusted = true });
        Assert.True(whole.IsHealthy, string.Join(" ", whole.Findings.Take(3)));

        byte[] cut = image[..^lost];
        Qcow2CheckResult trusted = Qcow2Checker.Check(new MemoryStorage([.. cut]));
        Qcow2CheckResult untrusted = Qcow2Checker.Check(new MemoryStorage([.. cut]), new Qcow2CheckOptions { Untrusted = true });
        Assert.Equal(CheckNumbers.Of(whole), CheckNumbers.Of(trusted));
        if (lost < 512)
        {
            Assert.True(untrusted.IsHealthy); // As for QEMU: a file has whole sectors.
            return;
        }

        Assert.True(trusted.IsHealthy);
        Qcow2CheckFinding finding = Assert.Single(untrusted.Findings, finding => finding.Kind == Qcow2CheckFindingKind.FileCutOff);
        Assert.Equal(Qcow2CheckSeverity.Warning, finding.Severity);
        Assert.False(untrusted.IsHealthy);
        Assert.Equal((ulong)((cut.Length + 511) & ~511), finding.Found);
    }

    [Fact]
    public void A_reader_is_told_of_a_cut()
    {
        var problems = new List<string>();
        using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(Make("data")[..^600]), new Qcow2OpenOptions { OnProblem = problems.Add });
        Assert.Empty(problems);
        image.Read(0, new byte[image.Length]);
        image.Read(0, new byte[image.Length]);
        Assert.Contains("cut short", Assert.Single(problems), StringComparison.Ordinal);
    }

    [QemuTheory]
    [InlineData("")]
    [InlineData(",cluster_size=512")]
    [InlineData(",cluster_size=2M")]
    [InlineData(",extended_l2=on")]
    [InlineData(",compat=0.10")]
    public void What_qemu_creates_and_writes_is_whole(string layout)
    {
        using var folder = new TempFolder();
        foreach (string preallocation in (string[])["off", "metadata", "falloc", "full"])
        {
            QemuImg.RunIn(folder.Path, "create", "-q", "-f", "qcow2", "-o", $"preallocation={preallocation}{layout}", "image.qcow2", "1000448");
            AssertWhole(folder);
        }

        foreach (string write in (string[])["write 0 512", "write 999936 512", "write -z 999424 1024", "write -c 0 64k", "write 3000 1000", "write -c 983040 17408"])
        {
            QemuImg.RunIn(folder.Path, "create", "-q", "-f", "qcow2", "-o", $"lazy_refcounts=off{layout}", "image.qcow2", "1000448");
            QemuImg.TryRunIoIn(folder.Path, ["-f", "qcow2", "-c", write, "image.qcow2"]);
            AssertWhole(folder);
        }

        QemuImg.RunIn(folder.Path, "snapshot", "-c", "a", "image.qcow2");
        AssertWhole(folder);
        if (!layout.Contains("0.10", StringComparison.Ordinal))
        {
            QemuImg.RunIn(folder.Path, "resize", "image.qcow2", "+1M");
            AssertWhole(folder);
            QemuImg.RunIn(folder.Path, "bitmap", "--add", "image.qcow2", "b");
            AssertWhole(folder);
        }

        byte[] data = new byte[200_704];
        new Random(7).NextBytes(data);
        folder.Write("data.raw", data);
        foreach (string[] compress in (string[][])[[], ["-c"]])
        {
            QemuImg.RunIn(folder.Path, ["convert", .. compress, "-O", "qcow2", "-o", $"lazy_refcounts=off{layout}", "data.raw", "image.qcow2"]);
            AssertWhole(folder);
        }
    }

    private static void AssertWhole(TempFolder folder)
    {
        Qcow2CheckResult result = Qcow2Checker.Check(folder.File("image.qcow2"), new Qcow2CheckOptions { Untrusted = true });
        Assert.True(result.IsHealthy, string.Join(" ", result.Findings.Take(3)));
    }

    /// <summary>An image whose last cluster is of a kind.</summary>
    private static byte[] Make(string kind)
    {
        var storage = new MemoryStorage([]);
        var options = new Qcow2CreateOptions { ClusterSize = kind == "subclusters" ? 65_536 : 4096, ExtendedL2 = kind == "subclusters" };
        using (Qcow2Image image = Qcow2Image.Create(storage, 16 * options.ClusterSize, options))
        {
            byte[] data = new byte[options.ClusterSize];
            new Random(3).NextBytes(data);
            if (kind == "compressed")
            {
                data.AsSpan(2000).Clear();
                image.WriteCompressed(0, data);
            }
            else
            {
                image.Write(0, data);
            }
        }

        byte[] content = [.. storage.Content];
        if (kind == "compressed")
        {
            // As QEMU leaves it: the file ends with the sector that the data ends in.
            int end = Array.FindLastIndex(content, value => value != 0) + 1;
            content = content[..((end + 511) & ~511)];
        }

        return content;
    }
}
