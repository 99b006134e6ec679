using System.Diagnostics;
using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Merge- and Set-Qcow2Image, and what Get-Qcow2Image says of a broken chain.</summary>
public sealed class ChainTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public ChainTests() => Ok("""
        $null = New-Qcow2Image base.qcow2 4MB
        $null = New-Qcow2Image middle.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2
        $null = New-Qcow2Image top.qcow2 8MB -BackingFile middle.qcow2 -BackingFormat qcow2
        Write-Qcow2Image base.qcow2 -Offset 0 -Value 1, 1, 1
        Write-Qcow2Image middle.qcow2 -Offset 1 -Value 2, 2
        Write-Qcow2Image top.qcow2 -Offset 2 -Value 3
        """);

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Merges_into_the_backing_file_and_empties_the_overlay()
    {
        Qcow2ImageInfo merged = Assert.Single(Ok("Merge-Qcow2Image top.qcow2 -PassThru -Confirm:$false").Of<Qcow2ImageInfo>());
        Assert.Equal((_session.File("middle.qcow2"), 8L << 20), (merged.Path, merged.Size));
        Assert.Equal([1, 2, 3], Read("middle.qcow2"));
        Assert.Equal([1, 2, 3], Read("top.qcow2"));
        Assert.Equal([1, 1, 1], Read("base.qcow2"));
        Assert.Equal(0, Count("top.qcow2"));
    }

    [Fact]
    public void Merges_a_chain_into_its_base_and_deletes_what_lies_above()
    {
        Assert.Empty(Ok("Merge-Qcow2Image top.qcow2 base.qcow2 -DeleteSource -Confirm:$false").Output);
        Assert.Equal([1, 2, 3], Read("base.qcow2"));
        Assert.Equal(["base.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Keeps_the_overlay_where_that_is_asked_for_and_where_the_destination_lies_deeper()
    {
        Ok("Merge-Qcow2Image top.qcow2 -KeepSource -Confirm:$false");
        Assert.Equal(1, Count("top.qcow2"));
        Ok("Get-Qcow2Image top.qcow2 | Merge-Qcow2Image -DestinationPath base.qcow2 -Confirm:$false");
        Assert.Equal(1, Count("top.qcow2"));
        Assert.Equal([1, 2, 3], Read("base.qcow2"));
    }

    [Fact]
    public void A_raw_base_is_merged_into_and_shown_as_raw()
    {
        _session.Folder.Write("base.raw", new byte[1 << 20]);
        Ok("$null = New-Qcow2Image o.qcow2 -BackingFile base.raw -BackingFormat raw; Write-Qcow2Image o.qcow2 -Offset 5 -Value 9");
        Qcow2ImageInfo merged = Assert.Single(Ok("Get-Qcow2Image o.qcow2 | Merge-Qcow2Image -PassThru -Confirm:$false").Of<Qcow2ImageInfo>());
        Assert.Equal("raw", merged.Format);
        Assert.Equal(9, File.ReadAllBytes(_session.File("base.raw"))[5]);
    }

    [Fact]
    public void WhatIf_changes_nothing_and_says_what_would_be_done()
    {
        byte[][] before = Bytes();
        _session.Show("Merge-Qcow2Image top.qcow2 -WhatIf; Merge-Qcow2Image top.qcow2 base.qcow2 -DeleteSource -WhatIf; Set-Qcow2Image top.qcow2 '' -WhatIf; "
            + "Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat qcow2 -MetadataOnly -WhatIf");
        Assert.Equal(before, Bytes());
        string shown = _session.Show("Merge-Qcow2Image top.qcow2 -WhatIf; Merge-Qcow2Image top.qcow2 base.qcow2 -DeleteSource -WhatIf; Set-Qcow2Image top.qcow2 '' -WhatIf");
        Assert.Contains($"Merge into '{_session.File("middle.qcow2")}' and empty it", shown, StringComparison.Ordinal);
        Assert.Contains($"and delete '{_session.File("top.qcow2")}', '{_session.File("middle.qcow2")}'", shown, StringComparison.Ordinal);
        Assert.Contains("Change the backing file from 'middle.qcow2' (qcow2) to no backing file", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_merge_is_asked_about_where_nobody_said_otherwise()
    {
        byte[][] before = Bytes();
        Assert.NotEmpty(_session.Run("Merge-Qcow2Image top.qcow2").Errors); // Nobody is there to answer.
        Assert.Equal(before, Bytes());
    }

    [Fact]
    public void A_rebase_keeps_what_the_image_shows()
    {
        Qcow2ImageInfo image = Assert.Single(Ok("Set-Qcow2Image top.qcow2 -BackingFile base.qcow2 -BackingFormat QCOW2 -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal(("base.qcow2", "qcow2", _session.File("base.qcow2")), (image.BackingFile, image.BackingFormat, image.ParentPath));
        Assert.Equal([1, 2, 3], Read("top.qcow2"));
        image = Assert.Single(Ok("Get-Qcow2Image top.qcow2 | Set-Qcow2Image -BackingFile $null -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal((null, null), (image.BackingFile, image.BackingFormat));
        Assert.Equal([1, 2, 3], Read("top.qcow2"));
    }

    [Fact]
    public void A_missing_base_is_said_on_the_image_that_names_it_and_mended()
    {
        Directory.CreateDirectory(_session.File("moved"));
        File.Move(_session.File("base.qcow2"), _session.File("moved/base.qcow2"));
        SessionResult result = _session.Run("Get-Qcow2Image top.qcow2 -BackingChain");
        Assert.Equal(["BackingFileUnavailable"], result.ErrorIds);
        Assert.Equal([null, "does not exist"], result.Of<Qcow2ImageInfo>().Select(image => image.BackingFileProblem is { } problem
            ? problem.Contains("does not exist", StringComparison.Ordinal) ? "does not exist" : problem : null));
        Assert.Matches(@"top\.qcow2\s+overlay\s*\n.*└ middle\.qcow2\s+backing file\s+unavailable", _session.Show("Get-Qcow2Image top.qcow2 -BackingChain -ErrorAction Ignore"));

        Ok("Set-Qcow2Image middle.qcow2 moved/base.qcow2 -MetadataOnly");
        Assert.Equal(["top.qcow2", "middle.qcow2", "base.qcow2"], Ok("Get-Qcow2Image top.qcow2 -BackingChain").Of<Qcow2ImageInfo>().Select(image => Path.GetFileName(image.Path)));
        Assert.Equal([1, 2, 3], Read("top.qcow2"));
    }

    [Theory]
    [InlineData("Merge-Qcow2Image base.qcow2 -Confirm:$false", "NoBackingFile", ErrorCategory.InvalidOperation)]
    [InlineData("Merge-Qcow2Image middle.qcow2 top.qcow2 -Confirm:$false", "NotInBackingChain", ErrorCategory.InvalidArgument)]
    [InlineData("Merge-Qcow2Image top.qcow2 top.qcow2 -Confirm:$false", "DestinationIsSource", ErrorCategory.InvalidArgument)]
    [InlineData("Merge-Qcow2Image top.qcow2 no.qcow2 -Confirm:$false", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Merge-Qcow2Image no.qcow2 -Confirm:$false", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Merge-Qcow2Image top.qcow2 -ReferencePolicy Forbid -Confirm:$false", "ReferenceForbidden", ErrorCategory.PermissionDenied)]
    [InlineData("Set-Qcow2Image base.qcow2 top.qcow2 -BackingFormat qcow2", "BackingChainLoop", ErrorCategory.InvalidData)]
    [InlineData("Set-Qcow2Image top.qcow2 base.qcow2", "BackingFormatMissing", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image base.qcow2 base.raw -MetadataOnly", "BackingFormatMissing", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image top.qcow2 no.raw -BackingFormat raw", "BackingFileUnavailable", ErrorCategory.ResourceUnavailable)]
    [InlineData("Set-Qcow2Image top.qcow2 ('n' * 1024) -BackingFormat raw -MetadataOnly", "LimitExceeded", ErrorCategory.LimitsExceeded)]
    [InlineData("Set-Qcow2Image data-file-raw.qcow2 base.qcow2 -BackingFormat qcow2", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image snapshots.qcow2 top.qcow2 -BackingFormat qcow2", "SnapshotWouldChange", ErrorCategory.InvalidOperation)]
    public void Has_a_stable_id_and_a_category(string script, string id, ErrorCategory category)
    {
        _session.With("data-file-raw", "snapshots");
        Ok("$null = Write-Qcow2Image top.qcow2 -Offset 0 -Value ([byte[]] @(1) * 1MB)");
        byte[][] before = Bytes();
        ErrorRecord error = Assert.Single(_session.Run(script).Errors);
        Assert.Equal((id, category), (error.FullyQualifiedErrorId.Split(',')[0], error.CategoryInfo.Category));
        Assert.Equal(before, Bytes());
    }

    [Fact]
    public void DeleteSource_and_KeepSource_exclude_each_other()
        => Assert.Equal(["ParameterConflict"], _session.Run("Merge-Qcow2Image top.qcow2 -DeleteSource -KeepSource").ErrorIds);

    [Fact]
    public void Snapshots_of_the_overlay_are_warned_of()
    {
        _session.With("snapshots");
        Ok("Set-Qcow2Image snapshots.qcow2 base.qcow2 -BackingFormat qcow2 -MetadataOnly");
        Assert.Contains("snapshots", Assert.Single(Ok("Merge-Qcow2Image snapshots.qcow2 -Confirm:$false").Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Offers_the_files_of_the_chain()
    {
        string[] Complete(string line) => [.. _session.Run("param($line) (TabExpansion2 $line $line.Length).CompletionMatches", line).Output
            .Select(match => ((CompletionResult)match.BaseObject).CompletionText)];
        Assert.Equal([$"'{_session.File("middle.qcow2")}'", $"'{_session.File("base.qcow2")}'"], Complete("Merge-Qcow2Image top.qcow2 -DestinationPath "));
        Assert.Equal([$"'{_session.File("base.qcow2")}'"], Complete("Merge-Qcow2Image top.qcow2 -DestinationPath b"));
        Assert.Equal(["parallels", "qcow", "qcow2", "qed", "raw", "vdi", "vhd", "vhdx", "vmdk", "vpc"], Complete("Set-Qcow2Image top.qcow2 x -BackingFormat "));
    }

    [Theory]
    [InlineData("Merge-Qcow2Image slow.qcow2 -Confirm:$false", "top.qcow2")]
    [InlineData("Set-Qcow2Image slow2.qcow2 -BackingFile ''", "slow.qcow2")]
    public void Stops_within_a_second_and_the_image_shows_what_it_showed(string script, string backing)
    {
        SlowImage.Write(_session.File("slow.qcow2"));
        Ok("Set-Qcow2Image slow.qcow2 top.qcow2 -BackingFormat qcow2 -MetadataOnly; $null = New-Qcow2Image slow2.qcow2 -BackingFile slow.qcow2 -BackingFormat qcow2");
        using PowerShellPipeline shell = _session.Start(script);
        IAsyncResult running = shell.BeginInvoke();
        Assert.True(SpinWait.SpinUntil(() => shell.Streams.Progress.Count > 0 || running.IsCompleted, TimeSpan.FromSeconds(60)), "It shows no progress.");
        shell.StopAtOnce();
        Assert.True(running.IsCompleted);
        Assert.NotEmpty(shell.Streams.Progress);
        string file = script.Split(' ')[1];
        Assert.Equal(backing, Qcow2ImageInfo.Read(_session.File(file)).BackingFile);
    }

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors.Select(error => error.ToString()));
        return result;
    }

    private int[] Read(string file) => [.. Assert.IsType<byte[]>(Assert.Single(Ok($"Read-Qcow2Image {file} -Count 3").Output).BaseObject).Select(value => (int)value)];

    /// <summary>Extents that an image has of its own.</summary>
    private int Count(string file) => Ok($"Get-Qcow2Extent {file} | Where-Object {{ $_.Depth -eq 0 -and $_.Kind -eq 'Data' }}").Output.Count;

    private byte[][] Bytes() => [.. Directory.GetFiles(_session.Folder.Path).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
}
