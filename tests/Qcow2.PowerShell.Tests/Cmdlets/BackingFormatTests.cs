using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>A word on the format of a backing file that its content contradicts.</summary>
public sealed class BackingFormatTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public BackingFormatTests()
    {
        Ok("New-Qcow2Image base.qcow2 1MB; New-Qcow2Image src.qcow2 1MB; New-Qcow2Image top.qcow2 1MB");
        Ok("New-Qcow2Image wrong.qcow2 1MB -BackingFile base.qcow2 -BackingFormat raw -NoBackingFileCheck");
        _session.Folder.Write("disk.raw", new byte[1 << 20]);
        byte[] vhdx = new byte[1 << 20];
        "vhdxfile"u8.CopyTo(vhdx);
        _session.Folder.Write("disk.vhdx", vhdx);
    }

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile base.qcow2 -BackingFormat raw", "FormatAmbiguous")]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile disk.vhdx -BackingFormat raw", "FormatAmbiguous")]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile disk.raw -BackingFormat qcow2", "NotQcow2")]
    [InlineData("Convert-Qcow2Image src.qcow2 x.qcow2 -BackingFile base.qcow2 -BackingFormat raw", "FormatAmbiguous")]
    [InlineData("Convert-Qcow2Image src.qcow2 x.qcow2 -BackingFile disk.raw -BackingFormat qcow2", "NotQcow2")]
    [InlineData("Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat raw", "FormatAmbiguous")]
    [InlineData("Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat raw -MetadataOnly", "FormatAmbiguous")]
    [InlineData("Set-Qcow2Image top.qcow2 disk.raw -BackingFormat qcow2", "NotQcow2")]
    [InlineData("Set-Qcow2Image top.qcow2 disk.raw -BackingFormat qcow2 -MetadataOnly", "FormatAmbiguous")]
    [InlineData("Merge-Qcow2Image wrong.qcow2 -Confirm:$false", "FormatAmbiguous")]
    public void Is_refused_and_changes_nothing(string script, string id)
    {
        string[] files = ["base.qcow2", "top.qcow2", "wrong.qcow2"];
        byte[][] before = [.. files.Select(name => File.ReadAllBytes(_session.File(name)))];
        SessionResult result = _session.Run(script);
        Assert.Equal(id, Assert.Single(result.ErrorIds));
        Assert.False(File.Exists(_session.File("x.qcow2")));
        Assert.Equal(before, files.Select(name => File.ReadAllBytes(_session.File(name))));
        AdvisedParameters.AssertExist(_session, result.Errors[0].InvocationInfo.MyCommand.Name, result.Errors[0].Exception.Message);
    }

    [Theory]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile base.qcow2 -BackingFormat raw -Force")]
    [InlineData("Convert-Qcow2Image src.qcow2 x.qcow2 -BackingFile base.qcow2 -BackingFormat raw -Force")]
    [InlineData("Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat raw -Force")]
    [InlineData("Set-Qcow2Image top.qcow2 base.qcow2 -BackingFormat raw -MetadataOnly -Force")]
    [InlineData("Merge-Qcow2Image wrong.qcow2 -Confirm:$false -Force")]
    [InlineData("Get-Qcow2Image wrong.qcow2 -BackingChain")]
    [InlineData("Test-Qcow2Image wrong.qcow2 -BackingChain")]
    public void Counts_where_it_is_meant_and_is_never_taken_in_silence(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Assert.Contains("begins as a qcow2 image does", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile disk.raw -BackingFormat raw")]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2")]
    [InlineData("Set-Qcow2Image top.qcow2 gone.raw -BackingFormat raw -MetadataOnly")]
    public void That_nothing_contradicts_is_taken(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
    }

    /// <summary>It is the image above that is wrong, and the record in it that is to be changed.</summary>
    [Theory]
    [InlineData("Convert-Qcow2Image over.qcow2 x.raw")]
    [InlineData("Get-Qcow2Image over.qcow2 -BackingChain")]
    [InlineData("Show-Qcow2Image top2.qcow2")]
    public void That_is_recorded_and_wrong_is_said_of_the_image_that_records_it(string script)
    {
        Ok("New-Qcow2Image over.qcow2 1MB -BackingFile disk.raw -BackingFormat qcow2 -NoBackingFileCheck");
        Ok("New-Qcow2Image top2.qcow2 1MB -BackingFile over.qcow2 -BackingFormat qcow2 -NoBackingFileCheck");
        System.Management.Automation.ErrorRecord error = Assert.Single(_session.Run(script).Errors);
        Assert.StartsWith("NotQcow2,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.StartsWith($"{_session.File("over.qcow2")}: The backing file {_session.File("disk.raw")} is recorded as 'qcow2', but it", error.Exception.Message, StringComparison.Ordinal);
        AdvisedParameters.AssertExist(_session, error.InvocationInfo.MyCommand.Name, error.Exception.Message);
        Ok("Set-Qcow2Image over.qcow2 -BackingFile disk.raw -BackingFormat raw -MetadataOnly -Confirm:$false; Convert-Qcow2Image top2.qcow2 x.raw");
    }

    private void Ok(string script) => Assert.Empty(_session.Run(script).Errors);
}
