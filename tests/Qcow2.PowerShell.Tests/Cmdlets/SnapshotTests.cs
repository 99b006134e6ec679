using System.Management.Automation;
using System.Security.Cryptography;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Checkpoint-Qcow2Image, Restore-, Remove- and Rename-Qcow2Snapshot.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public SnapshotTests() => Ok("New-Qcow2Image disk.qcow2 10MB; Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1");

    public void Dispose() => _session.Dispose();

    [Fact]
    public void A_long_file_name_makes_a_name_that_fits()
    {
        string path = new string('\u00fc', 120) + ".qcow2"; // 246 bytes
        SessionResult result = _session.Run("param($path) $null = New-Qcow2Image $path 1MB; Checkpoint-Qcow2Image $path -PassThru; Checkpoint-Qcow2Image $path -PassThru", path);
        Assert.Empty(result.Errors);
        Assert.All(result.Of<Qcow2Snapshot>(), snapshot => Assert.StartsWith(new string('\u00fc', 110) + " - (", snapshot.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void A_disk_goes_back_to_its_snapshot()
    {
        Ok("Checkpoint-Qcow2Image disk.qcow2 first");
        Ok("Write-Qcow2Image disk.qcow2 -Offset 0 -Value 2; Resize-Qcow2Image disk.qcow2 20MB");
        Ok("Restore-Qcow2Snapshot disk.qcow2 first -Confirm:$false");
        Assert.Equal(1, FirstByte());
        Assert.Equal(10L << 20, Assert.Single(_session.Run("Get-Qcow2Image disk.qcow2").Of<Qcow2ImageInfo>()).Size);
    }

    [Fact]
    public void The_default_name_is_made_of_the_image_and_the_time_and_unique()
    {
        Qcow2Snapshot[] taken = [.. _session.Run("1..3 | ForEach-Object { Checkpoint-Qcow2Image disk.qcow2 -PassThru }").Of<Qcow2Snapshot>()];
        Assert.Equal(["1", "2", "3"], taken.Select(snapshot => snapshot.Id));
        Assert.Equal(3, taken.Select(snapshot => snapshot.Name).Distinct().Count());
        Assert.All(taken, snapshot => Assert.Matches(@"^disk - \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)( #\d)?$", snapshot.Name));
        Assert.All(taken, snapshot => Assert.InRange(snapshot.CreationTime, DateTime.Now.AddMinutes(-5), DateTime.Now.AddMinutes(1)));
    }

    [Fact]
    public void Many_images_get_the_same_snapshot_from_the_pipeline()
    {
        Ok("New-Qcow2Image 'a[1].qcow2' 1MB; New-Qcow2Image b.qcow2 1MB");
        Qcow2Snapshot[] taken = [.. _session.Run("Get-Qcow2Image *.qcow2 | Checkpoint-Qcow2Image -SnapshotName before-patch -PassThru").Of<Qcow2Snapshot>()];
        Assert.Equal(["a[1].qcow2", "b.qcow2", "disk.qcow2"], taken.Select(snapshot => Path.GetFileName(snapshot.Path)).Order(StringComparer.Ordinal));
        Assert.All(taken, snapshot => Assert.Equal("before-patch", snapshot.Name));
        Ok("Get-Qcow2Snapshot *.qcow2 | Where-Object CreationTime -gt ([datetime]::Now.AddDays(-30)) | Remove-Qcow2Snapshot -Confirm:$false");
        Assert.Empty(_session.Run("Get-Qcow2Snapshot *.qcow2").Output);
    }

    [Fact]
    public void Snapshots_are_removed_by_name_wildcard_and_id()
    {
        Ok("'one', 'two', 'tmp-a', 'tmp-b' | ForEach-Object { Checkpoint-Qcow2Image disk.qcow2 $_ }");
        Assert.Equal(["3", "4"], _session.Run("Remove-Qcow2Snapshot disk.qcow2 'TMP-*' -Confirm:$false -PassThru").Of<Qcow2Snapshot>().Select(snapshot => snapshot.Id));
        Ok("Remove-Qcow2Snapshot disk.qcow2 -Id 1 -Confirm:$false");
        Assert.Equal(["two"], Names());
        Assert.Equal(["SnapshotNotSpecified"], _session.Run("Remove-Qcow2Snapshot disk.qcow2 -Confirm:$false").ErrorIds);
        Assert.Equal(["SnapshotNotFound"], _session.Run("Remove-Qcow2Snapshot disk.qcow2 one -Confirm:$false").ErrorIds);
        Assert.Equal(["two"], Names());
    }

    [Fact]
    public void Snapshots_are_renamed_by_a_rule()
    {
        Ok("'tmp-a', 'tmp-b' | ForEach-Object { Checkpoint-Qcow2Image disk.qcow2 $_ }");
        const string Rename = "Get-Qcow2Snapshot disk.qcow2 | Rename-Qcow2Snapshot -NewName { $_.Name -replace '^tmp', 'keep' } -PassThru";
        Assert.Equal(["keep-a", "keep-b"], _session.Run(Rename).Of<Qcow2Snapshot>().Select(snapshot => snapshot.Name));
        Assert.Equal(["keep-a", "keep-b"], Names());
    }

    [Fact]
    public void A_snapshot_of_several_with_one_name_is_chosen_by_its_id()
    {
        _session.With("snapshots");
        SessionResult ambiguous = _session.Run("Restore-Qcow2Snapshot snapshots.qcow2 twin -Confirm:$false");
        Assert.Equal(["SnapshotAmbiguous"], ambiguous.ErrorIds);
        Assert.Contains("'twin' (id 2), 'twin' (id 3)", Assert.Single(ambiguous.Errors).ToString(), StringComparison.Ordinal);
        Ok("Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Restore-Qcow2Snapshot -Confirm:$false; Convert-Qcow2Image snapshots.qcow2 disk.raw");
        Assert.Equal(Fixtures.Get("snapshots").SnapshotSha256["3"], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_session.File("disk.raw")))));
    }

    [Fact]
    public void A_snapshot_is_exported()
    {
        _session.With("snapshots");
        Ok("Export-Qcow2Snapshot snapshots.qcow2 -SnapshotName first -DestinationPath a.raw; Get-Qcow2Snapshot snapshots.qcow2 -Id 2 | Export-Qcow2Checkpoint -DestinationPath b.raw");
        Assert.Equal(Fixtures.Get("snapshots").SnapshotSha256["1"], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_session.File("a.raw")))));
        Assert.Equal(Fixtures.Get("snapshots").SnapshotSha256["2"], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_session.File("b.raw")))));
        Assert.Equal(["SnapshotNotSpecified"], _session.Run("Export-Qcow2Snapshot snapshots.qcow2 c.raw").ErrorIds);
        SessionResult twice = _session.Run("Get-Qcow2Snapshot snapshots.qcow2 -Id 1, 2 | Export-Qcow2Snapshot -DestinationPath c.raw");
        Assert.Equal(["DestinationNotUnique"], twice.ErrorIds);
        Assert.Contains("Export-Qcow2Snapshot -DestinationPath", Assert.Single(twice.Errors).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Checkpoint-Qcow2Image disk.qcow2 first", "SnapshotExists", ErrorCategory.ResourceExists)]
    [InlineData("Checkpoint-Qcow2Image disk.qcow2 1", "SnapshotExists", ErrorCategory.ResourceExists)]
    [InlineData("Rename-Qcow2Snapshot disk.qcow2 first second", "SnapshotExists", ErrorCategory.ResourceExists)]
    [InlineData("Rename-Qcow2Snapshot disk.qcow2 third fourth", "SnapshotNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Restore-Qcow2Snapshot disk.qcow2 third -Confirm:$false", "SnapshotNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Restore-Qcow2Snapshot disk.qcow2 -Confirm:$false", "SnapshotNotSpecified", ErrorCategory.InvalidArgument)]
    [InlineData("Checkpoint-Qcow2Image missing.qcow2", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Checkpoint-Qcow2Image data.qcow2 x", "OperationNotSupported", ErrorCategory.NotImplemented)]
    public void What_cannot_be_done_is_an_error_and_changes_nothing(string script, string id, ErrorCategory category)
    {
        Ok("Checkpoint-Qcow2Image disk.qcow2 first; Checkpoint-Qcow2Image disk.qcow2 second; New-Qcow2Image data.qcow2 1MB -DataFile data.raw");
        byte[] before = File.ReadAllBytes(_session.File("disk.qcow2"));
        SessionResult result = _session.Run(script);
        ErrorRecord error = Assert.Single(result.Errors);
        Assert.Equal((id, category), (error.FullyQualifiedErrorId.Split(',')[0], error.CategoryInfo.Category));
        Assert.Equal(before, File.ReadAllBytes(_session.File("disk.qcow2")));
    }

    [Fact]
    public void WhatIf_leaves_every_byte_as_it_was()
    {
        Ok("Checkpoint-Qcow2Image disk.qcow2 first");
        byte[] before = File.ReadAllBytes(_session.File("disk.qcow2"));
        Ok("""
            Checkpoint-Qcow2Image disk.qcow2 second -WhatIf
            Restore-Qcow2Snapshot disk.qcow2 first -WhatIf
            Rename-Qcow2Snapshot disk.qcow2 first second -WhatIf
            Remove-Qcow2Snapshot disk.qcow2 * -WhatIf
            """);
        Assert.Equal(before, File.ReadAllBytes(_session.File("disk.qcow2")));
    }

    [Fact]
    public void A_lost_backing_file_keeps_nobody_from_changing_snapshots()
    {
        Ok("New-Qcow2Image top.qcow2 -BackingFile disk.qcow2 -BackingFormat qcow2");
        File.Delete(_session.File("disk.qcow2"));
        Ok("Checkpoint-Qcow2Image top.qcow2 a; Restore-Qcow2Snapshot top.qcow2 a -Confirm:$false; Remove-Qcow2Snapshot top.qcow2 a -Confirm:$false");
    }

    [Fact]
    public void The_names_that_users_of_Hyper_V_type_are_there()
    {
        Ok("Checkpoint-Qcow2Image disk.qcow2 -Name a; Restore-Qcow2Checkpoint disk.qcow2 -CheckpointName a -Confirm:$false");
        Ok("Rename-Qcow2Checkpoint disk.qcow2 -Name a -NewName b; Remove-Qcow2Checkpoint disk.qcow2 -Name b -Confirm:$false");
        Assert.Empty(Names());
    }

    private IEnumerable<string> Names() => _session.Run("Get-Qcow2Snapshot disk.qcow2").Of<Qcow2Snapshot>().Select(snapshot => snapshot.Name);

    private byte FirstByte() => Assert.Single(_session.Run("Read-Qcow2Image disk.qcow2 -Count 1").Of<byte[]>())[0];

    private void Ok(string script) => Assert.Empty(_session.Run(script).Errors);
}
