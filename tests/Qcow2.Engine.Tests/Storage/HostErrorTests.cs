using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

public sealed class HostErrorTests
{
    [Theory]
    [InlineData(28, "not enough space on the disk;")]
    [InlineData(unchecked((int)0x8007_0070), "not enough space on the disk;")]
    [InlineData(unchecked((int)0x8007_0027), "not enough space on the disk;")]
    [InlineData(27, "cannot hold a file of 7 bytes")]
    [InlineData(unchecked((int)0x8007_00df), "cannot hold a file of 7 bytes")]
    public void Is_told_of_the_file_that_the_user_knows(int code, string reason)
    {
        IOException error = HostError.Describe(new IOException("Bad: '/a/.b.tmp'", code), "/a/.b.tmp", "/a/b", 7)!;
        Assert.StartsWith("/a/b: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.True(error.HResult == code || error.HResult == HostError.FileTooLarge);
    }

    [Fact]
    public void Of_another_kind_keeps_its_words_and_loses_the_temporary_name()
    {
        IOException error = HostError.Describe(new IOException("Input/output error : '/a/.b.tmp'", 5), "/a/.b.tmp", "/a/b", 7)!;
        Assert.Equal("/a/b: Input/output error", error.Message);
        Assert.Equal(5, error.HResult);
        Assert.Null(HostError.Describe(new IOException("x", 5), "/a/b", "/a/b", 7));
        Assert.Null(HostError.Describe(new UnauthorizedAccessException(), "/a/.b.tmp", "/a/b", 7));
        Assert.Null(HostError.Describe(new Qcow2Exception(Qcow2ErrorCode.ImageCorrupt, "x"), "/a/.b.tmp", "/a/b", 7));
    }

    [Fact]
    public void Of_a_file_that_cannot_be_made_names_the_one_that_was_asked_for()
    {
        IOException error = HostError.OfNewFile(new IOException("Read-only file system : '/a/.b.tmp'", 30), "/a/.b.tmp", "/a/b")!;
        Assert.Equal(("/a/b: Read-only file system", 30), (error.Message, error.HResult));
        Assert.Null(HostError.OfNewFile(new DirectoryNotFoundException("x"), "/a/.b.tmp", "/a/b"));
        if (OperatingSystem.IsLinux())
        {
            Exception refused = Record.Exception(() => ReplacementFile.Create("/proc/file", overwrite: false));
            Assert.True(refused is IOException or UnauthorizedAccessException);
            Assert.StartsWith("/proc/file: ", refused.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(".tmp", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_that_is_too_large_is_no_mistake_of_the_caller()
    {
        using var folder = new TempFolder();
        using var file = ReplacementFile.Create(folder.File("large"), overwrite: false);
        Exception? error = Record.Exception(() => file.Storage.SetLength(long.MaxValue));
        if (error is not null) // Some file systems hold that.
        {
            Assert.StartsWith(folder.File("large") + ": ", Assert.IsType<IOException>(error).Message, StringComparison.Ordinal);
        }
    }
}
