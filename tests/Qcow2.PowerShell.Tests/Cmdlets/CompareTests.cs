using System.Diagnostics;
using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class CompareTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("Compare-Qcow2Image zstd.qcow2 zstd.raw")]
    [InlineData("Compare-Qcow2Image -LiteralPath zstd.qcow2 -DifferencePath zstd.raw")]
    [InlineData("Get-Qcow2Image zstd.qcow2 | Compare-Qcow2Image -DifferencePath zstd.raw")]
    [InlineData("Get-Qcow2Image zstd.qcow2 | Compare-Qcow2Image -DifferencePath { $_.Path -replace 'qcow2$', 'raw' }")]
    [InlineData("[pscustomobject] @{ Path = 'zstd.qcow2'; DifferencePath = 'zstd.raw' } | Compare-Qcow2Image")]
    [InlineData("Compare-Qcow2Image zstd.qcow2 zstd.raw | Compare-Qcow2Image")]
    public void An_image_goes_in_by_every_way(string script)
    {
        MakeRaw("zstd");
        Qcow2CompareResult equal = Compare(script);
        Assert.Equal((true, _session.File("zstd.qcow2"), _session.File("zstd.raw")), (equal.AreEqual, equal.Path, equal.DifferencePath));

        Flip("zstd.raw", 70_000);
        Qcow2CompareResult different = Compare(script);
        Assert.Equal((false, 70_000L, 4096L, 1L), (different.AreEqual, different.FirstDifference, different.DifferingBytes, different.RangeCount));
        Assert.Equal([new DiskRange(69_632, 4096)], different.Ranges);
    }

    [Fact]
    public void A_raw_disk_can_be_the_first_too_and_its_result_goes_in_again()
    {
        MakeRaw("zstd");
        Assert.True(Compare("Compare-Qcow2Image zstd.raw zstd.qcow2").AreEqual);
        Assert.True(Compare("Compare-Qcow2Image zstd.raw zstd.qcow2 | Compare-Qcow2Image").AreEqual);
    }

    [Theory]
    [InlineData("-Quiet", true)]
    [InlineData("-Quiet -Strict", false)]
    public void Quiet_says_yes_or_no(string parameters, bool expected)
    {
        MakeRaw("zstd");
        Assert.Equal([expected], _session.Run($"Compare-Qcow2Image zstd.qcow2 zstd.raw {parameters}").Of<bool>());
        Flip("zstd.raw", 0);
        Assert.Equal([false], _session.Run($"Compare-Qcow2Image zstd.qcow2 zstd.raw {parameters}").Of<bool>());
    }

    [Fact]
    public void Snapshots_are_disks_of_either_side()
    {
        _session.With("snapshots");
        Assert.False(Compare("Compare-Qcow2Image snapshots.qcow2 snapshots.qcow2 -SnapshotName first").AreEqual);
        Assert.False(Compare("Compare-Qcow2Image snapshots.qcow2 snapshots.qcow2 -DifferenceSnapshotName first").AreEqual);
        Assert.True(Compare("Compare-Qcow2Image snapshots.qcow2 snapshots.qcow2 -SnapshotName first -DifferenceSnapshotName 1").AreEqual);

        IReadOnlyList<Qcow2CompareResult> each = _session.Run("Get-Qcow2Snapshot snapshots.qcow2 | Compare-Qcow2Image -DifferencePath snapshots.qcow2 -DifferenceSnapshotName 3")
            .Of<Qcow2CompareResult>();
        Assert.Equal(4, each.Count);
        Assert.True(each[2].AreEqual);
        Assert.Equal(400 << 10, each[2].Size);
        Assert.Contains(each, result => !result.AreEqual);
    }

    [Fact]
    public void Each_side_has_a_passphrase_of_its_own()
    {
        _session.With("luks", "aes");
        Assert.Equal(["PassphraseRequired"], _session.Run("Compare-Qcow2Image luks.qcow2 luks.qcow2").ErrorIds);
        object[] secrets = [Secret("luks"), Secret("aes")];
        Assert.Equal(["PassphraseIncorrect"], _session.Run("Compare-Qcow2Image aes.qcow2 luks.qcow2 -Passphrase $args[1]", secrets).ErrorIds);
        Assert.True(Compare("Compare-Qcow2Image luks.qcow2 luks.qcow2 -Passphrase $args[0]", secrets).AreEqual);

        using Qcow2Image luks = Open("luks");
        using Qcow2Image aes = Open("aes");
        Qcow2CompareResult expected = DiskComparer.Compare(aes, luks);
        Qcow2CompareResult result = Compare("Compare-Qcow2Image aes.qcow2 luks.qcow2 -Passphrase $args[1] -DifferencePassphrase $args[0]", secrets);
        Assert.Equal((expected.AreEqual, expected.DifferingBytes), (result.AreEqual, result.DifferingBytes));
    }

    [Fact]
    public void Strictness_adds_size_and_allocation()
    {
        _session.Run("New-Qcow2Image a.qcow2 1MB; New-Qcow2Image b.qcow2 2MB; New-Qcow2Image c.qcow2 1MB; Write-Qcow2Image c.qcow2 -Offset 64KB -Value ([byte[]]::new(64KB))");
        Assert.True(Compare("Compare-Qcow2Image a.qcow2 b.qcow2").AreEqual);
        Qcow2CompareResult size = Compare("Compare-Qcow2Image a.qcow2 b.qcow2 -Strict");
        Assert.Equal((false, true, null, null), (size.AreEqual, size.IsSizeDifferent, size.FirstDifference, size.FirstAllocationDifference));
        Assert.True(Compare("Compare-Qcow2Image a.qcow2 c.qcow2").AreEqual);
        Qcow2CompareResult allocation = Compare("Compare-Qcow2Image a.qcow2 c.qcow2 -Strict");
        Assert.Equal((false, null, 65_536L), (allocation.AreEqual, allocation.FirstDifference, allocation.FirstAllocationDifference));
    }

    [Fact]
    public void Ranges_are_listed_up_to_a_number_and_counted_beyond()
    {
        _session.Run("New-Qcow2Image a.qcow2 1MB; New-Qcow2Image b.qcow2 1MB; 0..4 | ForEach-Object { Write-Qcow2Image b.qcow2 -Offset ($_ * 100KB) -Value 1 }");
        Qcow2CompareResult result = Compare("Compare-Qcow2Image a.qcow2 b.qcow2 -MaxRanges 2");
        Assert.Equal((2, 5L, 5 * 4096L), (result.Ranges.Length, result.RangeCount, result.DifferingBytes));
    }

    [Theory]
    [InlineData("planted.raw v3.qcow2", "FormatAmbiguous", "-SourceFormat")]
    [InlineData("v3.qcow2 planted.raw", "FormatAmbiguous", "-DifferenceFormat")]
    [InlineData("v3.qcow2 text.txt", "NotQcow2", "-DifferenceFormat Raw")]
    [InlineData("text.txt v3.qcow2", "NotQcow2", "-SourceFormat Raw")]
    [InlineData("v3.qcow2 nowhere.qcow2", "PathNotFound", "nowhere.qcow2")]
    [InlineData("nowhere.qcow2 v3.qcow2", "PathNotFound", "nowhere.qcow2")]
    [InlineData("v3.qcow2 folder", "PathIsFolder", "folder")]
    [InlineData("v3.qcow2 text.txt -DifferenceFormat Raw -DifferenceSnapshotName x", "OperationNotSupported", "no snapshots")]
    [InlineData("v3.qcow2 v3.qcow2 -DifferenceSnapshotName x", "SnapshotNotFound", "'x'")]
    [InlineData("chain-top.qcow2 v3.qcow2 -ReferencePolicy Forbid", "ReferenceForbidden", "chain-top")]
    [InlineData("v3.qcow2 chain-top.qcow2 -ReferencePolicy Forbid", "ReferenceForbidden", "chain-top")]
    public void What_cannot_be_compared_is_an_error(string arguments, string id, string says)
    {
        _session.With("v3", "chain-top");
        File.Copy(_session.File("v3.qcow2"), _session.File("planted.raw"));
        File.WriteAllText(_session.File("text.txt"), new string('x', 512));
        Directory.CreateDirectory(_session.File("folder"));

        foreach (string quiet in new[] { "", " -Quiet" })
        {
            SessionResult result = _session.Run($"Compare-Qcow2Image {arguments}{quiet}");
            Assert.Equal([id], result.ErrorIds);
            Assert.Contains(says, result.Errors[0].Exception.Message, StringComparison.Ordinal);
            Assert.Empty(result.Output);
        }

        Assert.True(Compare("Compare-Qcow2Image planted.raw v3.qcow2 -SourceFormat Qcow2").AreEqual);
        Assert.False(Compare("Compare-Qcow2Image planted.raw v3.qcow2 -SourceFormat Raw").AreEqual);
    }

    [Fact]
    public void One_bad_file_among_many_does_not_end_it()
    {
        File.WriteAllText(_session.With("v3", "empty").File("text.qcow2"), "not an image");
        SessionResult result = _session.Run("Compare-Qcow2Image *.qcow2 v3.qcow2");
        Assert.Equal(["NotQcow2"], result.ErrorIds);
        Assert.Equal([false, true], result.Of<Qcow2CompareResult>().Select(one => one.AreEqual));
    }

    [Fact]
    public void An_image_in_use_is_refused_unless_shared_by_force()
    {
        _session.With("v3", "empty");
        using Qcow2Image writer = Qcow2Image.Open(_session.File("v3.qcow2"), new Qcow2OpenOptions { Writable = true });
        if (OperatingSystem.IsLinux())
        {
            Assert.Equal(["ImageLocked"], _session.Run("Compare-Qcow2Image empty.qcow2 v3.qcow2").ErrorIds);
        }

        Assert.False(Compare("Compare-Qcow2Image empty.qcow2 v3.qcow2 -ForceShare").AreEqual);
    }

    [Fact]
    public void It_shows_what_differs()
    {
        MakeRaw("zstd");
        Assert.Matches(@"\n\s*True\s+0 B\s+0 zstd\.qcow2\s+zstd\.raw\s*\n", _session.Show("Compare-Qcow2Image zstd.qcow2 zstd.raw"));
        Assert.Matches(@"False\s+0x\w+ \(allocation\)\s+0 B\s+0 zstd", _session.Show("Compare-Qcow2Image zstd.qcow2 zstd.raw -Strict"));
        Flip("zstd.raw", 70_000);
        Assert.Matches(@"\n\s*False\s+0x11170\s+4 KiB\s+1 zstd\.qcow2\s+zstd\.raw\s*\n", _session.Show("Compare-Qcow2Image zstd.qcow2 zstd.raw"));
        Assert.Matches(@"\n\s+0x11000\s+4 KiB\s*\n", _session.Show("(Compare-Qcow2Image zstd.qcow2 zstd.raw).Ranges"));
        Assert.Matches(@"False\s+size\s", _session.Show("[Qcow2.Engine.Qcow2CompareResult] @{ Path = 'x'; DifferencePath = 'y'; IsSizeDifferent = $true }"));
    }

    [Fact]
    public async Task It_shows_progress_and_stops_at_once()
    {
        SlowImage.Write(_session.File("slow.qcow2"));
        File.Copy(_session.File("slow.qcow2"), _session.File("copy.qcow2"));
        using PowerShellPipeline shell = _session.Start("Compare-Qcow2Image slow.qcow2 copy.qcow2");
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        var waiting = Stopwatch.StartNew();
        ProgressRecord[] records = [];
        while (!records.Any(IsUnderWay) && waiting.Elapsed < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(50);
            records = [.. shell.Streams.Progress];
        }

        Assert.Equal("Comparing slow.qcow2", records[0].Activity);
        Assert.Contains(records, IsUnderWay);

        shell.StopAtOnce();
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
    }

    private static bool IsUnderWay(ProgressRecord record) => record.StatusDescription.Contains("of 512 GiB", StringComparison.Ordinal);

    private Qcow2CompareResult Compare(string script, params object[] arguments)
    {
        SessionResult result = _session.Run(script, arguments);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Of<Qcow2CompareResult>());
    }

    /// <summary>A fixture, and the raw disk that it holds, beside it.</summary>
    private void MakeRaw(string fixture)
    {
        using Qcow2Image image = Qcow2Image.Open(_session.With(fixture).File($"{fixture}.qcow2"));
        byte[] content = new byte[image.Length];
        image.Read(0, content);
        File.WriteAllBytes(_session.File($"{fixture}.raw"), content);
    }

    private void Flip(string name, long offset)
    {
        byte[] content = File.ReadAllBytes(_session.File(name));
        content[offset] ^= 1;
        File.WriteAllBytes(_session.File(name), content);
    }

    private Qcow2Image Open(string fixture)
    {
        using Passphrase passphrase = Passphrase.FromString(Fixtures.Get(fixture).Passphrase!);
        return Qcow2Image.Open(_session.File($"{fixture}.qcow2"), new Qcow2OpenOptions { Passphrase = passphrase });
    }

    private static SecureString Secret(string fixture)
    {
        var secret = new SecureString();
        Fixtures.Get(fixture).Passphrase!.ToList().ForEach(secret.AppendChar);
        return secret;
    }
}
