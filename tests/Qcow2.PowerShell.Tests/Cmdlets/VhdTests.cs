using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>VHD files in every cmdlet that reads a disk.</summary>
public sealed class VhdTests : IDisposable
{
    private const int Size = 1 << 20;

    private readonly ModuleSession _session = new();
    private readonly byte[] _content = new byte[Size];

    public VhdTests()
    {
        new Random(1).NextBytes(_content.AsSpan(0, 70_000));
        byte[] id = [.. Enumerable.Repeat((byte)0x77, 16)];
        _session.Folder.Write("disk.raw", _content);
        _session.Folder.Write("base.vhd", new VhdBuilder { DiskType = 2, Size = Size, Content = _content, UniqueId = id }.Build());
        _session.Folder.Write(
            "child.vhd", new VhdBuilder { DiskType = 4, Size = Size, ParentId = id, Locators = { ("W2ru", @".\base.vhd"), ("W2ku", @"C:\vm\base.vhd") } }.Build());
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Get_shows_what_it_is()
    {
        Qcow2ImageInfo info = Assert.Single(_session.Run("Get-Qcow2Image base.vhd").Of<Qcow2ImageInfo>());
        Assert.Equal(("vhd", "Fixed", Size), (info.Format, info.Subformat, info.Size));
        Assert.Equal("Differencing 2MB win", Text("$i = Get-Qcow2Image child.vhd; \"$($i.VhdType) $($i.BlockSize / 1MB)MB $($i.Vhd.Creator)\""));
        Assert.Equal(["child.vhd", "base.vhd"], Lines("Get-Qcow2Image child.vhd -BackingChain | ForEach-Object { Split-Path $_.Path -Leaf }"));
        Assert.Equal(["child.vhd", "base.vhd"], Lines("Get-Qcow2Image child.vhd | Get-Qcow2Image -BackingChain | ForEach-Object { Split-Path $_.Path -Leaf }"));
        string shown = Text("Get-Qcow2Image child.vhd | Format-List | Out-String -Width 200");
        Assert.All((string[])["Differencing", "DiskIdentifier", "ParentIdentifier", "win 10.0, 100/4/17", @".\base.vhd"], word => Assert.Contains(word, shown, StringComparison.Ordinal));
        Assert.Contains("ParentNames", Text("(Get-Qcow2Image child.vhd).Vhd | Out-String -Width 200"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("base.vhd")]
    [InlineData("child.vhd")]
    public void Every_cmdlet_that_reads_a_disk_takes_it(string name)
    {
        SessionResult result = _session.Run($"""
            Convert-Qcow2Image {name} out.qcow2
            Convert-Qcow2Image {name} out.raw -SourceFormat Vhd
            (Compare-Qcow2Image {name} out.qcow2).AreEqual
            (Compare-Qcow2Image disk.raw {name}).AreEqual
            (Compare-Qcow2Image out.raw {name} -DifferenceFormat Vhd).AreEqual
            (Get-Qcow2Extent {name} | Measure-Object Length -Sum).Sum -eq 1MB
            (Measure-Qcow2Image {name}).RequiredBytes -gt 64KB
            (Get-Qcow2Image {name} | Measure-Qcow2Image).RequiredBytes -gt 64KB
            """);
        Assert.Empty(result.Errors);
        Assert.Equal(Enumerable.Repeat<object>(true, 6), result.Output.Select(value => value.BaseObject));
        byte[] part = Assert.Single(_session.Run($"Read-Qcow2Image {name} -Offset 1000 -Count 3000").Of<byte[]>());
        Assert.Equal(_content[1000..4000], part);
        Assert.Equal(_content, File.ReadAllBytes(_session.File("out.raw")));
    }

    [Fact]
    public void A_qcow2_image_is_layered_on_it()
    {
        Assert.Empty(_session.Run("$null = New-Qcow2Image over.qcow2 -BackingFile base.vhd -BackingFormat vhd").Errors);
        Assert.Equal("vpc", Text("(Get-Qcow2Image over.qcow2).BackingFormat"));
        Assert.Equal("True", Text("(Compare-Qcow2Image over.qcow2 disk.raw).AreEqual"));
        Assert.Equal(["qcow2", "vhd"], Lines("Get-Qcow2Image over.qcow2 -BackingChain | ForEach-Object Format"));
        SessionResult tested = _session.Run("Test-Qcow2Image over.qcow2 -BackingChain");
        Assert.Empty(tested.Errors);
        Assert.Empty(tested.Warnings);
        Assert.Equal([("over.qcow2", 0, true), ("base.vhd", 1, true)], tested.Of<Qcow2CheckResult>().Select(result => (Path.GetFileName(result.Path), result.Depth, result.IsHealthy)));
        SessionResult merged = _session.Run("Merge-Qcow2Image over.qcow2 -Confirm:$false");
        Assert.Equal(["UnsupportedFeature"], merged.ErrorIds);
        Assert.Contains("only be read", merged.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Empty(_session.Run("Set-Qcow2Image over.qcow2 -BackingFile child.vhd -BackingFormat vpc -Confirm:$false").Errors);
        Assert.Equal("True", Text("(Compare-Qcow2Image over.qcow2 disk.raw).AreEqual"));
        Assert.Equal(["qcow2", "vhd", "vhd"], Lines("Get-Qcow2Image over.qcow2 -BackingChain | ForEach-Object Format"));
    }

    [Theory]
    [InlineData("Resize-Qcow2Image base.vhd 2MB", "NotQcow2", "not changed in place")]
    [InlineData("Repair-Qcow2Image base.vhd -Mode All -Confirm:$false", "NotQcow2", "Convert-Qcow2Image -Salvage")]
    [InlineData("Write-Qcow2Image base.vhd -Offset 0 -Value 1 -Confirm:$false", "NotQcow2", "convert it")]
    [InlineData("Convert-Qcow2Image disk.raw base.vhd -NoCreate", "UnsupportedFeature", "only be read")]
    [InlineData("Convert-Qcow2Image base.vhd out.qcow2 -SnapshotName a", "OperationNotSupported", "no snapshots")]
    public void What_cannot_be_done_is_said(string command, string id, string words)
    {
        SessionResult result = _session.Run(command);
        Assert.Equal([id], result.ErrorIds);
        Assert.Contains(words, result.Errors[0].Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Test_checks_it()
    {
        Assert.Equal([true, true], _session.Run("Test-Qcow2Image base.vhd -Quiet -Untrusted -ReadData; Get-Qcow2Image child.vhd | Test-Qcow2Image -Quiet").Of<bool>());
        Assert.Equal([1, 2], _session.Run("Test-Qcow2Image child.vhd -BackingChain").Of<Qcow2CheckResult>().Select(result => result.Depth + 1));
        Qcow2CheckResult untrusted = Assert.Single(_session.Run("Test-Qcow2Image child.vhd -Untrusted").Of<Qcow2CheckResult>());
        Assert.Equal([Qcow2CheckFindingKind.ReferenceToOtherFile], untrusted.Findings.Select(finding => finding.Kind));
        Qcow2CheckResult forbidden = Assert.Single(_session.Run("Test-Qcow2Image child.vhd -ReferencePolicy Forbid").Of<Qcow2CheckResult>());
        Assert.Contains(forbidden.Findings, finding => finding.Kind == Qcow2CheckFindingKind.ParentUnavailable);

        byte[] child = File.ReadAllBytes(_session.File("child.vhd"));
        _session.Folder.Write("cut.vhd", child.AsSpan(0, child.Length - 512));
        Assert.Equal(["NotQcow2"], _session.Run("Test-Qcow2Image cut.vhd").ErrorIds);
        SessionResult cut = _session.Run("Test-Qcow2Image cut.vhd -SourceFormat Vhd");
        Assert.Contains("cut short", Assert.Single(cut.Warnings), StringComparison.Ordinal);
        Assert.False(Assert.Single(cut.Of<Qcow2CheckResult>()).IsHealthy);
    }

    /// <summary>Only QCOW2 images are repaired.</summary>
    [Fact]
    public void Of_damage_the_way_on_is_said_that_there_is()
    {
        byte[] child = File.ReadAllBytes(_session.File("child.vhd"));
        child[700] ^= 1;
        _session.Folder.Write("damaged.vhd", child);
        string message = Assert.Single(_session.Run("Convert-Qcow2Image damaged.vhd out.qcow2").Errors).Exception.Message;
        Assert.Contains("Test-Qcow2Image", message, StringComparison.Ordinal);
        Assert.Contains("Convert-Qcow2Image -Salvage", message, StringComparison.Ordinal);
        Assert.DoesNotContain("Repair-Qcow2Image", message, StringComparison.Ordinal);
        Qcow2CheckResult result = Assert.Single(_session.Run("Test-Qcow2Image damaged.vhd").Of<Qcow2CheckResult>());
        Assert.Contains(result.Findings, finding => finding.Kind == Qcow2CheckFindingKind.ChecksumWrong);
    }

    [Fact]
    public void What_has_nothing_to_check_or_a_misleading_name_is_said()
    {
        File.Copy(_session.File("base.vhd"), _session.File("base.raw"));
        Assert.Equal(["FormatAmbiguous"], _session.Run("Test-Qcow2Image base.raw").ErrorIds);
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image base.raw -SourceFormat vhd -Quiet").Of<bool>()));
        Assert.Equal(["OperationNotSupported"], _session.Run("Test-Qcow2Image base.raw -SourceFormat Raw").ErrorIds);
        Assert.Contains("nothing to check", Assert.Single(_session.Run("Test-Qcow2Image disk.raw -SourceFormat Raw").Errors).Exception.Message, StringComparison.Ordinal);
        Assert.Equal(["NotQcow2"], _session.Run("Test-Qcow2Image disk.raw").ErrorIds);
    }

    [Fact]
    public void A_name_that_says_raw_leaves_it_to_the_user()
    {
        File.Move(_session.File("base.vhd"), _session.File("base.raw"));
        SessionResult result = _session.Run("Convert-Qcow2Image base.raw out.qcow2");
        Assert.Equal(["FormatAmbiguous"], result.ErrorIds);
        Assert.Contains("ends as a VHD image does", result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Contains("-SourceFormat Vhd", result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Equal("1048576", Text("Convert-Qcow2Image base.raw out.qcow2 -SourceFormat Vhd; (Get-Qcow2Image out.qcow2).Size"));
    }

    [Fact]
    public void A_parent_that_may_not_be_opened_is_not()
    {
        Assert.Equal(["ReferenceForbidden"], _session.Run("Convert-Qcow2Image child.vhd out.qcow2 -ReferencePolicy Forbid").ErrorIds);
        File.Delete(_session.File("base.vhd"));
        Assert.Equal(["BackingFileUnavailable"], _session.Run("Convert-Qcow2Image child.vhd out.qcow2").ErrorIds);
        Assert.Equal(["BackingFileUnavailable"], _session.Run("Get-Qcow2Image child.vhd -BackingChain").ErrorIds);
    }

    private string Text(string script) => Assert.Single(Lines(script));

    private string[] Lines(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return [.. result.Output.Select(value => value.ToString())];
    }
}
