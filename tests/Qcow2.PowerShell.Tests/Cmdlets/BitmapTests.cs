using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

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

    private string[] Names(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return [.. result.Of<Qcow2Bitmap>().Select(bitmap => bitmap.Name)];
    }
}
