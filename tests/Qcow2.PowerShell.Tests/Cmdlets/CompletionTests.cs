using System.Management.Automation;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class CompletionTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Theory]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 -Name ", "first", "2", "3", "'vor dem Größenwechsel'")]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 -Id ", "1", "2", "3", "4")]
    [InlineData("Convert-Qcow2Image snapshots.qcow2 x.raw -SnapshotName f", "first")]
    [InlineData("Get-Qcow2Extent -LiteralPath ./snapshots.qcow2 -SnapshotName 'v", "'vor dem Größenwechsel'")]
    [InlineData("Get-Qcow2Extent -InputObject $image -SnapshotName f", "first")]
    [InlineData("Get-Qcow2Snapshot s*.qcow2 -Name f", "first")]
    [InlineData("Compare-Qcow2Image nowhere.qcow2 snapshots.qcow2 -DifferenceSnapshotName f", "first")]
    [InlineData("Convert-Qcow2Image x -BackingFormat ", "parallels", "qcow", "qcow2", "qed", "raw", "vdi", "vhd", "vhdx", "vmdk", "vpc")]
    [InlineData("Convert-Qcow2Image x y.vhd -BlockSizeBytes ", "512KB", "2MB")]
    [InlineData("Convert-Qcow2Image x y -DestinationFormat Vhdx -BlockSizeBytes 3", "32MB")]
    [InlineData("Convert-Qcow2Image x.vhdx y.qcow2 -ClusterSizeBytes 6", "64KB")]
    [InlineData("New-Qcow2Image y.vhdx -BlockSizeBytes 25", "256MB")]
    [InlineData("Convert-Qcow2Image x -DestinationType ", "Dynamic", "Fixed", "MonolithicFlat", "MonolithicSparse", "StreamOptimized", "TwoGbMaxExtentFlat", "TwoGbMaxExtentSparse", "Vmfs")]
    [InlineData("Convert-Qcow2Image x -ReferencePolicy ", "Confine", "Follow", "Forbid")]
    public void Offers(string line, params string[] expected)
    {
        session.With("snapshots").Run("$global:image = Get-Qcow2Image snapshots.qcow2");
        Assert.Equal(expected, Complete(line));
    }

    [Theory]
    [InlineData("Get-Qcow2Bitmap vm.qcow2 -BitmapName ", "daily", "'week end'")]
    [InlineData("Get-Qcow2Extent vm.qcow2 -BitmapName W", "'week end'")]
    [InlineData("Export-Qcow2Change vm.qcow2 -DestinationPath x.qcow2 -BitmapName d", "daily")]
    [InlineData("Clear-Qcow2Bitmap -LiteralPath ./vm.qcow2 -BitmapName 'w", "'week end'")]
    [InlineData("Merge-Qcow2Bitmap vm.qcow2 -SourceBitmapName d", "daily")]
    [InlineData("Merge-Qcow2Bitmap vm.qcow2 -SourcePath other.qcow2 -SourceBitmapName ", "elsewhere")]
    [InlineData("Start-Qcow2NbdServer vm.qcow2 -BitmapName d", "daily")]
    public void Offers_bitmaps(string line, params string[] expected)
    {
        session.Run("""
            'vm', 'other' | ForEach-Object { New-Qcow2Image "$_.qcow2" 1MB -Force }
            New-Qcow2Bitmap vm.qcow2 daily; New-Qcow2Bitmap vm.qcow2 'week end'; New-Qcow2Bitmap other.qcow2 elsewhere
            """);
        Assert.Equal(expected, Complete(line));
    }

    [Theory]
    [InlineData("Remove-Qcow2KeySlot luks.qcow2 -KeySlot ", "0")]
    [InlineData("Set-Qcow2KeySlot -LiteralPath ./luks.qcow2 -KeySlot ", "0")]
    [InlineData("Add-Qcow2KeySlot luks.qcow2 -KeySlot ", "1", "2", "3", "4", "5", "6", "7", "0")]
    public void Offers_key_slots(string line, params string[] expected)
    {
        session.With("luks");
        Assert.Equal(expected, Complete(line));
    }

    [Theory]
    [InlineData("Get-Qcow2Snapshot missing.qcow2 -Name ")]
    [InlineData("Get-Qcow2Snapshot env:PATH -Name ")]
    [InlineData("Get-Qcow2Snapshot nodrive:x -Name ")]
    [InlineData("Get-Qcow2Snapshot -Name ")]
    [InlineData("Get-Qcow2Snapshot $null -Name ")]
    [InlineData("Get-Qcow2Snapshot -InputObject 5 -Name ")]
    [InlineData("Compare-Qcow2Image snapshots.qcow2 -DifferenceSnapshotName ")]
    [InlineData("Get-Qcow2Snapshot text.qcow2 -Name ")]
    public void Never_fails(string line)
    {
        session.Folder.Write("text.qcow2", "This is no image."u8);
        Assert.DoesNotContain("first", Complete(line));
    }

    [Fact]
    public void Offers_the_id_of_a_snapshot_whose_name_no_terminal_should_get()
    {
        BuiltImage image = new ImageBuilder { Snapshots = [new BuilderSnapshot("7", "evil\u001b[2J")] }.Build();
        session.Folder.Write("evil.qcow2", image.Bytes);
        Assert.Equal(["7"], Complete("Get-Qcow2Snapshot evil.qcow2 -Name "));
    }

    private string[] Complete(string line)
    {
        return [.. session.Run("param($line) (TabExpansion2 $line $line.Length).CompletionMatches", line).Output
            .Select(match => ((CompletionResult)match.BaseObject).CompletionText)];
    }
}
