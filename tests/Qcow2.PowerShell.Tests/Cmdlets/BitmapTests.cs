using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Get- and Remove-Qcow2Bitmap, and what Optimize- and Repair-Qcow2Image do with a bitmap that was not saved.</summary>
public sealed class BitmapTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public BitmapTests()
    {
        BuiltImage image = new ImageBuilder { Size = 64 << 20, DataClusters = 2, Bitmaps = [new("good", 16, 0), new("Lost", 16, 3), new("lost", 16, 1)] }.Build();
        _session.Folder.Write("disk.qcow2", image.Bytes);
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Bitmaps_are_listed_and_selected()
    {
        Assert.Equal(["good", "Lost", "lost"], Names("Get-Qcow2Bitmap disk.qcow2"));
        Assert.Equal(["Lost", "lost"], Names("Get-Qcow2Bitmap disk.qcow2 l*"));
        Assert.Equal(["lost"], Names("Get-Qcow2Bitmap disk.qcow2 -BitmapName lost"));
        Assert.Equal(["Lost", "lost"], Names("Get-Qcow2Image disk.qcow2 | Get-Qcow2Bitmap | Where-Object IsInUse"));
        Assert.Equal(["BitmapNotFound"], _session.Run("Get-Qcow2Bitmap disk.qcow2 LOST").ErrorIds);
    }

    [Fact]
    public void Bitmaps_are_removed_also_those_that_were_not_saved()
    {
        Assert.Empty(_session.Run("Remove-Qcow2Bitmap disk.qcow2 lost -WhatIf").Errors);
        Assert.Equal(["BitmapNotSpecified"], _session.Run("Remove-Qcow2Bitmap disk.qcow2 -Confirm:$false").ErrorIds);
        Assert.Equal(["good", "Lost", "lost"], Names("Get-Qcow2Bitmap disk.qcow2"));
        Assert.Equal(["lost"], Names("Remove-Qcow2Bitmap disk.qcow2 lost -Confirm:$false -PassThru"));
        Assert.Empty(_session.Run("Get-Qcow2Bitmap disk.qcow2 | Where-Object IsInUse | Remove-Qcow2Bitmap -Confirm:$false").Errors);
        Assert.Equal(["good"], Names("Get-Qcow2Bitmap disk.qcow2"));
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image disk.qcow2 -Quiet").Of<bool>()));
        Assert.Empty(_session.Run("Optimize-Qcow2Image disk.qcow2").Errors);
    }

    [Fact]
    public void What_optimizing_says_to_do_is_the_way_out()
    {
        SessionResult refused = _session.Run("Optimize-Qcow2Image disk.qcow2");
        Assert.Equal(["BitmapInconsistent"], refused.ErrorIds);
        Assert.Contains("Remove-Qcow2Bitmap", refused.Errors[0].Exception.Message, StringComparison.Ordinal);
        Qcow2CheckResult repaired = Assert.Single(_session.Run("Repair-Qcow2Image disk.qcow2 -Mode All -Confirm:$false").Of<Qcow2CheckResult>());
        Assert.Equal(2, repaired.Findings.Count(finding => finding.Message.Contains("was removed", StringComparison.Ordinal)));
        Assert.Equal(["good"], Names("Get-Qcow2Bitmap disk.qcow2"));
        Assert.Empty(_session.Run("Optimize-Qcow2Image disk.qcow2").Errors);
    }

    [Fact]
    public void Bitmaps_are_made_frozen_cleared_and_merged()
    {
        Qcow2Bitmap made = Assert.Single(_session.Run("New-Qcow2Bitmap disk.qcow2 daily -Granularity 1MB").Of<Qcow2Bitmap>());
        Assert.Equal(("daily", 1L << 20, true, false), (made.Name, made.Granularity, made.IsEnabled, made.IsInUse));
        Assert.False(Assert.Single(_session.Run("New-Qcow2Bitmap disk.qcow2 -Name off -Disabled").Of<Qcow2Bitmap>()).IsEnabled);
        Assert.Empty(_session.Run("New-Qcow2Bitmap disk.qcow2 other -WhatIf").Errors);
        Assert.Equal(["good", "Lost", "lost", "daily", "off"], Names("Get-Qcow2Bitmap disk.qcow2"));

        Assert.Empty(_session.Run("Write-Qcow2Image disk.qcow2 -Offset 5MB -Value 1, 2 -Confirm:$false").Errors);
        Assert.False(Assert.Single(_session.Run("Disable-Qcow2Bitmap disk.qcow2 daily -PassThru").Of<Qcow2Bitmap>()).IsEnabled);
        Assert.True(Assert.Single(_session.Run("Get-Qcow2Bitmap disk.qcow2 off | Enable-Qcow2Bitmap -PassThru").Of<Qcow2Bitmap>()).IsEnabled);
        Assert.Equal([new DiskRange(5 << 20, 1 << 20)], Marks("daily"));
        Assert.Empty(Marks("off"));
        Assert.Empty(_session.Run("Merge-Qcow2Bitmap disk.qcow2 off daily").Errors);
        Assert.Equal([new DiskRange(5 << 20, 1 << 20)], Marks("off"));

        Assert.Empty(_session.Run("Copy-Item disk.qcow2 copy.qcow2; New-Qcow2Bitmap copy.qcow2 third | Out-Null; Merge-Qcow2Bitmap copy.qcow2 third -SourcePath disk.qcow2 -SourceBitmapName daily, off").Errors);
        Assert.Equal([new DiskRange(5 << 20, 1 << 20)], Marks("third", "copy.qcow2"));
        Assert.Empty(_session.Run("Get-Qcow2Bitmap disk.qcow2 daily | Clear-Qcow2Bitmap -Confirm:$false").Errors);
        Assert.Empty(Marks("daily"));
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image disk.qcow2 -Quiet").Of<bool>()));
    }

    [Theory]
    [InlineData("New-Qcow2Bitmap disk.qcow2 good", "BitmapExists")]
    [InlineData("New-Qcow2Bitmap disk.qcow2 x -Granularity 3000B", "BitmapInvalid")]
    [InlineData("New-Qcow2Bitmap disk.qcow2 ('x' * 1024)", "BitmapInvalid")]
    [InlineData("Clear-Qcow2Bitmap disk.qcow2 -Confirm:$false", "BitmapNotSpecified")]
    [InlineData("Clear-Qcow2Bitmap disk.qcow2 lost -Confirm:$false", "BitmapInconsistent")]
    [InlineData("Enable-Qcow2Bitmap disk.qcow2 none", "BitmapNotFound")]
    [InlineData("Disable-Qcow2Bitmap disk.qcow2 lost", "BitmapInconsistent")]
    [InlineData("Merge-Qcow2Bitmap disk.qcow2 -SourceBitmapName good", "BitmapNotSpecified")]
    [InlineData("Merge-Qcow2Bitmap disk.qcow2 good lost", "BitmapInconsistent")]
    [InlineData("Merge-Qcow2Bitmap disk.qcow2 good none", "BitmapNotFound")]
    [InlineData("New-Qcow2Image small.qcow2 1MB | New-Qcow2Bitmap -Name a | Out-Null; Merge-Qcow2Bitmap disk.qcow2 good a -SourcePath small.qcow2", "BitmapInvalid")]
    [InlineData("Merge-Qcow2Bitmap disk.qcow2 good a -SourcePath none.qcow2", "PathNotFound")]
    public void What_cannot_be_is_said_and_nothing_changes(string command, string id)
    {
        byte[] before = File.ReadAllBytes(_session.File("disk.qcow2"));
        Assert.Equal([id], _session.Run(command).ErrorIds);
        Assert.Equal(before, File.ReadAllBytes(_session.File("disk.qcow2")));
    }

    [Theory]
    [InlineData("none", "BitmapNotFound")]
    [InlineData("lost", "BitmapInconsistent")]
    public void Several_are_merged_all_or_none(string last, string id)
    {
        _session.Run("New-Qcow2Bitmap disk.qcow2 daily; Write-Qcow2Image disk.qcow2 -Offset 5MB -Value 1, 2 -Confirm:$false; New-Qcow2Bitmap disk.qcow2 all");
        Assert.Equal([id], _session.Run($"Merge-Qcow2Bitmap disk.qcow2 all daily, {last}").ErrorIds);
        Assert.Empty(Marks("all"));
        Assert.Empty(_session.Run("Merge-Qcow2Bitmap disk.qcow2 all daily, good").Errors);
        Assert.NotEmpty(Marks("all"));
    }

    [Fact]
    public void Every_image_of_a_pipeline_gets_a_bitmap_of_the_name()
    {
        _session.Run("1..3 | ForEach-Object { New-Qcow2Image \"vm$_.qcow2\" 1MB }");
        Assert.Equal(["daily", "daily", "daily"], Names("Get-Qcow2Image vm*.qcow2 | New-Qcow2Bitmap -Name daily"));
        Assert.Equal(["daily", "daily", "daily"], Names("Get-Qcow2Bitmap vm*.qcow2"));
    }

    /// <summary>A backup that fails in its middle: what it would have saved is still marked, so that the next one has it.</summary>
    [Fact]
    public void What_could_not_be_exported_stays_marked()
    {
        Assert.Empty(_session.Run("""
            $null = New-Qcow2Image vm.qcow2 8MB -DataFile vm.data; $null = New-Qcow2Bitmap vm.qcow2 daily
            Write-Qcow2Image vm.qcow2 -Offset 0 -Value (,7 * 70000); Write-Qcow2Image vm.qcow2 -Offset 7MB -Value (,7 * 70000)
            """).Errors);
        DiskRange[] before = Marks("daily", "vm.qcow2");
        using (FileStream data = File.Open(_session.File("vm.data"), FileMode.Open))
        {
            data.SetLength(1 << 20); // Reading the second range fails, when the first is copied already.
        }

        Assert.Equal(["ImageCorrupt"], _session.Run("Export-Qcow2Change vm.qcow2 -BitmapName daily -DestinationPath inc.qcow2 -ClearBitmap").ErrorIds);
        Assert.False(File.Exists(_session.File("inc.qcow2")));
        Assert.NotEmpty(before);
        Assert.Equal(before, Marks("daily", "vm.qcow2"));
    }

    /// <summary>What somebody wrote between the reading and the clearing of a bitmap would be in no backup.</summary>
    [Fact]
    public async Task Nobody_writes_an_image_while_its_changes_are_exported_and_forgotten()
    {
        Assert.Empty(_session.Run("$null = New-Qcow2Image vm.qcow2 4MB; $null = New-Qcow2Bitmap vm.qcow2 daily; $bytes = [byte[]]::new(3MB); [Random]::new(1).NextBytes($bytes); Write-Qcow2Image vm.qcow2 -Offset 0 -Value $bytes").Errors);
        using PowerShellPipeline shell = _session.Start("Export-Qcow2Change vm.qcow2 -BitmapName daily -DestinationPath inc.qcow2 -ClearBitmap -RateLimit 1MB");
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        while (!running.IsCompleted && Qcow2ImageInfo.Read(_session.File("vm.qcow2")).LockState != ImageLockState.HeldForWriting)
        {
            await Task.Delay(5);
        }

        int refused = 0;
        for (bool isOver = false; !isOver;)
        {
            isOver = running.IsCompleted;
            try
            {
                using Qcow2Image image = Qcow2Image.Open(_session.File("vm.qcow2"), new Qcow2OpenOptions { Writable = true });
                Assert.True(File.Exists(_session.File("inc.qcow2")));
                Assert.Empty(image.GetBitmapRanges("daily"));
            }
            catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ImageLocked)
            {
                refused++;
            }

            await Task.Delay(20);
        }

        await running;
        Assert.Empty(shell.Streams.Error);
        Assert.True(refused > 0);
        Assert.Empty(Marks("daily", "vm.qcow2"));
    }

    /// <summary>What a bitmap marks.</summary>
    private DiskRange[] Marks(string name, string image = "disk.qcow2")
    {
        using Qcow2Image opened = Qcow2Image.Open(_session.File(image));
        return [.. opened.GetBitmapRanges(name)];
    }

    private string[] Names(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return [.. result.Of<Qcow2Bitmap>().Select(bitmap => bitmap.Name)];
    }
}
