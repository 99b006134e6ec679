using System.Management.Automation;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Paths that are typed: drives, and what is said of names that mean something else than they seem to.</summary>
public sealed class TypedPathTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Fact]
    public void Path_that_is_relative_to_a_drive_begins_where_that_drive_is()
    {
        session.With("empty");
        Directory.CreateDirectory(session.File("sub"));
        File.Copy(session.File("empty.qcow2"), session.File("sub/inner.qcow2"), overwrite: true);
        SessionResult result = session.Run(
            $"$was = $PWD; New-PSDrive Images FileSystem '{session.Folder.Path}' | Out-Null; Set-Location Images:/sub; Set-Location $was; "
            + "Get-Qcow2Image Images:inner.qcow2; Get-Qcow2Image -LiteralPath Images:inner.qcow2; Get-Qcow2Image Images:/empty.qcow2; Remove-PSDrive Images");
        Assert.Empty(result.Errors);
        Assert.Equal(3, result.Output.Count);
    }

    [Theory]
    [InlineData("Get-Qcow2Image disk.qcow2:stream")]
    [InlineData("Get-Qcow2Image disk*.qcow2:stream")]
    [InlineData("Get-Qcow2Image -LiteralPath disk.qcow2:stream")]
    [InlineData("New-Qcow2Image disk.qcow2:stream 1MB")]
    public void Drive_that_is_not_there_may_be_a_name_with_a_colon(string script)
    {
        ErrorRecord error = Assert.Single(session.Run(script).Errors);
        Assert.StartsWith("DriveNotFound,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("takes what is before a colon for a drive", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains(OperatingSystem.IsWindows() ? "stream of the file" : "./", error.Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Name_with_a_colon_is_one_where_the_host_has_such_names()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        session.With("empty");
        File.Copy(session.File("empty.qcow2"), session.File("vm:1.qcow2"), overwrite: true);
        Assert.Single(session.Run("Get-Qcow2Image ./vm:1.qcow2").Output);
    }

    [Theory]
    [InlineData("New-Qcow2Image nul 1MB", "PathInvalid")]
    [InlineData("New-Qcow2Image com1.qcow2 1MB", "PathInvalid")]
    [InlineData("Get-Qcow2Image nul", "PathInvalid")]
    [InlineData("New-Qcow2Image 'disk.qcow2. ' 1MB", "PathInvalid")]
    [InlineData("Convert-Qcow2Image empty.qcow2 \"$PWD\\disk.qcow2:stream\"", "PathInvalid")]
    [InlineData("Get-Qcow2Image 'empty.qcow2.'", null)] // Windows opens the file without the dot.
    public void What_Windows_would_take_for_something_else_is_refused_there(string script, string? id)
    {
        if (!OperatingSystem.IsWindows())
        {
            return;
        }

        session.With("empty");
        Assert.Equal(id is null ? [] : [id], session.Run(script).ErrorIds);
    }
}
