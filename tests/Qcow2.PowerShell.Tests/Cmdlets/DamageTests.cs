using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>What is damaged without affecting the disk is a warning, once, and a property; and there is a way out.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public DamageTests()
    {
        BuiltImage image = new ImageBuilder { DataClusters = 3, Snapshots = [new("1", "first"), new("2", "second")] }.Build();
        image.SetU64(image.SnapshotEntryOffsets[1], 0x3200);
        _session.Folder.Write("damaged.qcow2", image.Bytes);
    }

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("Get-Qcow2Image damaged.qcow2")]
    [InlineData("Get-Qcow2Snapshot damaged.qcow2")]
    [InlineData("Read-Qcow2Image damaged.qcow2 -Count 16")]
    [InlineData("Get-Qcow2Extent damaged.qcow2")]
    [InlineData("Convert-Qcow2Image damaged.qcow2 new.qcow2")]
    [InlineData("Convert-Qcow2Image damaged.qcow2 new.raw -DestinationFormat Raw -Salvage")]
    [InlineData("Measure-Qcow2Image damaged.qcow2")]
    [InlineData("Compare-Qcow2Image damaged.qcow2 damaged.qcow2")]
    [InlineData("Export-Qcow2Snapshot damaged.qcow2 new.qcow2 -SnapshotName first")]
    public void The_disk_is_read_with_one_warning(string command)
    {
        SessionResult result = _session.Run(command);
        Assert.Empty(result.Errors);
        Assert.Contains("'second' (id 2) is damaged", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Read-Qcow2Image damaged.qcow2 -SnapshotName second -Count 16")]
    [InlineData("Restore-Qcow2Snapshot damaged.qcow2 second -Confirm:$false")]
    [InlineData("Export-Qcow2Snapshot damaged.qcow2 new.qcow2 -SnapshotName second")]
    [InlineData("Optimize-Qcow2Image damaged.qcow2")]
    public void The_snapshot_is_refused_with_the_reason(string command)
    {
        SessionResult result = _session.Run(command);
        Assert.Equal(["SnapshotDamaged"], result.ErrorIds);
        Assert.Contains("0x3200", result.Errors[0].Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_snapshot_says_what_is_wrong_and_is_removed()
    {
        Assert.Contains("0x3200", Assert.Single(_session.Run("Get-Qcow2Snapshot damaged.qcow2 | Where-Object Problem").Of<Qcow2Snapshot>()).Problem, StringComparison.Ordinal);
        Assert.Contains("0x3200", Assert.Single(_session.Run("(Get-Qcow2Image damaged.qcow2).Problems").Of<string>()), StringComparison.Ordinal);

        SessionResult removed = _session.Run("Get-Qcow2Snapshot damaged.qcow2 -Name second -WarningAction Ignore | Remove-Qcow2Snapshot -Confirm:$false");
        Assert.Empty(removed.Errors);
        Assert.Contains("was not given back", Assert.Single(removed.Warnings), StringComparison.Ordinal);
        Assert.True(Assert.Single(_session.Run("Repair-Qcow2Image damaged.qcow2 -Mode Leaks -Confirm:$false | Out-Null; Test-Qcow2Image damaged.qcow2 -Quiet").Of<bool>()));
        Assert.Empty(_session.Run("Get-Qcow2Image damaged.qcow2").Warnings);
    }

    [Fact]
    public void A_file_that_was_cut_short_is_warned_of()
    {
        byte[] bytes = new ImageBuilder { DataClusters = 3 }.Build().Bytes;
        _session.Folder.Write("cut.qcow2", bytes.AsSpan(0, bytes.Length - 1000));
        SessionResult test = _session.Run("Test-Qcow2Image cut.qcow2");
        Assert.True(Assert.Single(test.Of<Qcow2CheckResult>()).IsHealthy);
        Assert.Contains("cut short", Assert.Single(test.Warnings), StringComparison.Ordinal);
        Assert.False(Assert.Single(_session.Run("Test-Qcow2Image cut.qcow2 -Untrusted -Quiet").Of<bool>()));
        Assert.Contains("cut short", Assert.Single(_session.Run("Convert-Qcow2Image cut.qcow2 new.raw -DestinationFormat Raw").Warnings), StringComparison.Ordinal);
    }
}
