using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>What is typed as a path and means something else to Windows. It is logic, and tried on any host.</summary>
public sealed class WindowsTypedPathTests
{
    [Theory]
    [InlineData(@"C:\images\disk.qcow2")]
    [InlineData(@"C:\images\dotted.name\disk.v2.qcow2")]
    [InlineData(@"\\server\share\disk.qcow2")]
    [InlineData(@"\\?\C:\images\disk.qcow2")]
    [InlineData(@"\\?\C:\images\disk.qcow2. ")] // There Windows takes names as they are.
    [InlineData(@"\\.\PhysicalDrive1")]
    [InlineData(@"\\.\C:")]
    [InlineData(@"C:\images\console.qcow2")]
    [InlineData(@"C:\images\com10.qcow2")]
    [InlineData(@"C:\nul\disk.qcow2")]
    [InlineData(@"C:\images\..")]
    public void Ordinary_paths_are_let_pass(string path)
    {
        Assert.Null(WindowsTypedPath.ProblemOf(path, isNew: false));
        Assert.Null(WindowsTypedPath.ProblemOf(path, isNew: true));
    }

    [Theory]
    [InlineData(@"C:\images\disk.qcow2:stream", "stream", true)]
    [InlineData(@"C:\images\disk.qcow2::$DATA", "stream", true)]
    [InlineData(@"\\server\share\disk.qcow2:stream", "stream", true)]
    [InlineData(@"\\?\C:\images\disk.qcow2:stream", "stream", true)]
    [InlineData(@"C:\images\nul", "device", true)]
    [InlineData(@"C:\images\CON ", "device", true)]
    [InlineData(@"C:\images\com1", "device", true)]
    [InlineData(@"C:\images\Com1.qcow2", "device", false)] // A file on Windows 11, and a device on older ones.
    [InlineData(@"C:\images\lpt9.tar.gz", "device", false)]
    [InlineData(@"C:\images\disk.qcow2.", "drops", false)] // Whoever reads gets the file that PowerShell's own cmdlets would read.
    [InlineData(@"C:\images\disk.qcow2 ", "drops", false)]
    [InlineData(@"C:\images\disk.qcow2. . ", "drops", false)]
    public void What_is_no_name_of_a_file_is_said(string path, string word, bool alsoWhereItIsRead)
    {
        string? problem = WindowsTypedPath.ProblemOf(path, isNew: true);
        Assert.StartsWith(path + ": ", problem, StringComparison.Ordinal);
        Assert.Contains(word, problem, StringComparison.Ordinal);
        Assert.Equal(alsoWhereItIsRead, WindowsTypedPath.ProblemOf(path, isNew: false) is not null);
    }

    [Fact]
    public void Name_that_would_be_shortened_is_said_as_it_would_be()
        => Assert.Contains("the file 'disk.qcow2'", WindowsTypedPath.ProblemOf(@"C:\images\disk.qcow2. .", isNew: true), StringComparison.Ordinal);
}
