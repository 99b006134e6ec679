using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Set-Qcow2Image where it changes an image's layout.</summary>
public sealed class AmendTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public AmendTests()
    {
        _session.With("data-file-raw", "snapshots", "bitmaps");
        Ok("""
            $null = New-Qcow2Image disk.qcow2 4MB
            $null = New-Qcow2Image old.qcow2 4MB -Version 2
            Write-Qcow2Image disk.qcow2 -Offset 70000 -Value 1, 2, 3
            Write-Qcow2Image disk.qcow2 -Offset 0 -Zero -Count 64KB
            """);
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Changes_what_is_asked_for_in_one_call()
    {
        Qcow2ImageInfo image = Assert.Single(Ok("Set-Qcow2Image old.qcow2 -Version 3 -LazyRefcounts -RefcountBits 8 -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal((3, 8, true), (image.Version, image.RefcountBits, image.HasLazyRefcounts));
        image = Assert.Single(Ok("Get-Qcow2Image old.qcow2 | Set-Qcow2Image -LazyRefcounts:$false -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal((3, 8, false), (image.Version, image.RefcountBits, image.HasLazyRefcounts));
        image = Assert.Single(Ok("Set-Qcow2Image -LiteralPath old.qcow2 -RefcountBits 16 -Version 2 -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal((2, 16), (image.Version, image.RefcountBits));
        Assert.Empty(Ok("Set-Qcow2Image disk.qcow2 -Version 2").Output);
        Assert.Equal([0, 1, 2, 3], Assert.IsType<byte[]>(Assert.Single(Ok("Read-Qcow2Image disk.qcow2 -Offset 69999 -Count 4").Output).BaseObject).Select(value => (int)value));
    }

    [Fact]
    public void Changes_what_is_stored_of_the_data_file()
    {
        Qcow2ImageInfo image = Assert.Single(Ok("Set-Qcow2Image data-file-raw.qcow2 -DataFile moved.raw -DataFileRaw:$false -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal("moved.raw", image.DataFile);
        Assert.False(image.IsDataFileRaw);
    }

    [Fact]
    public void WhatIf_changes_nothing_and_says_what_would_be_done()
    {
        byte[] before = File.ReadAllBytes(_session.File("disk.qcow2"));
        string shown = _session.Show("Set-Qcow2Image disk.qcow2 -Version 2 -RefcountBits 16 -LazyRefcounts:$false -WhatIf");
        Assert.Contains("Change the version from 3 to 2, the reference counts from 16 to 16 bits, lazy reference counts to off", shown, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(_session.File("disk.qcow2")));
    }

    [Theory]
    [InlineData("Set-Qcow2Image disk.qcow2", "ParameterMissing", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image disk.qcow2 -BackingFile '' -Version 3", "ParameterConflict", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image disk.qcow2 -MetadataOnly -RefcountBits 8", "ParameterConflict", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image disk.qcow2 -BackingFormat raw -LazyRefcounts", "ParameterConflict", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image disk.qcow2 -Version 2 -RefcountBits 8", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image disk.qcow2 -Version 2 -LazyRefcounts", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("Set-Qcow2Image old.qcow2 -LazyRefcounts", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image old.qcow2 -RefcountBits 8", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image bitmaps.qcow2 -Version 2", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image disk.qcow2 -DataFile x.raw", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image disk.qcow2 -DataFileRaw", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Set-Qcow2Image snapshots.qcow2 -RefcountBits 1", "LimitExceeded", ErrorCategory.LimitsExceeded)]
    [InlineData("Set-Qcow2Image no.qcow2 -RefcountBits 1", "PathNotFound", ErrorCategory.ObjectNotFound)]
    public void Has_a_stable_id_and_a_category_and_changes_nothing(string script, string id, ErrorCategory category)
    {
        byte[][] before = Bytes();
        ErrorRecord error = Assert.Single(_session.Run(script).Errors);
        Assert.Equal((id, category), (error.FullyQualifiedErrorId.Split(',')[0], error.CategoryInfo.Category));
        Assert.Equal(before, Bytes());
    }

    private byte[][] Bytes() => [.. Directory.GetFiles(_session.Folder.Path).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors.Select(error => error.ToString()));
        return result;
    }
}
