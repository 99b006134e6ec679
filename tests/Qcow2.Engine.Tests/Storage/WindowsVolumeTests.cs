using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>What file systems cannot hold, and files whose content lies elsewhere.</summary>
public sealed class WindowsVolumeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("FAT32", 0xffff_ffffL)]
    [InlineData("FAT", 0xffff_ffffL)]
    [InlineData("vfat", 0xffff_ffffL)]
    [InlineData("msdos", 0xffff_ffffL)]
    [InlineData("exFAT", null)]
    [InlineData("NTFS", null)]
    [InlineData("ReFS", null)]
    [InlineData("ext4", null)]
    public void Fat_ends_at_4_GiB(string fileSystem, long? expected) => Assert.Equal(expected, FileSizeLimit.OfFileSystem(fileSystem));

    [Fact]
    public void File_that_is_too_long_for_its_file_system_is_refused_by_name_and_numbers()
    {
        FileSizeLimit.Ensure("disk.raw", 1L << 32, null);
        FileSizeLimit.Ensure("disk.raw", (1L << 32) - 1, (1L << 32) - 1);
        var error = Assert.Throws<IOException>(() => FileSizeLimit.Ensure("disk.raw", 1L << 32, (1L << 32) - 1));
        Assert.StartsWith("disk.raw: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("4294967296", error.Message, StringComparison.Ordinal);
        Assert.Equal(HostError.FileTooLarge, error.HResult);
        FileSizeLimit.Ensure(_folder.File("disk.raw"), 1L << 32); // Asks the host.
    }

    [Theory]
    [InlineData(0xffff_ffffL, 1L << 32, true)]
    [InlineData(0xffff_ffffL, 1L << 31, false)]
    [InlineData(null, 1L << 32, false)]
    public void Full_disk_of_Windows_is_a_file_that_is_too_long_where_it_is_that(long? limit, long end, bool isTooLong)
    {
        var full = new IOException("There is not enough space on the disk.", unchecked((int)0x8007_0070));
        IOException described = HostError.Describe(full, null, Path.Combine(_folder.Path, "disk.raw"), end, _ => limit)!;
        Assert.Equal(isTooLong, described.HResult == HostError.FileTooLarge);
        Assert.Equal(!isTooLong, described.Message.Contains("space", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(FileAttributes.Normal, false)]
    [InlineData(FileAttributes.Archive | FileAttributes.SparseFile | FileAttributes.ReparsePoint, false)] // Deduplicated, or fetched already.
    [InlineData(FileAttributes.Archive | (FileAttributes)0x8_0000, false)] // Pinned: always here.
    [InlineData(FileAttributes.Archive | FileAttributes.Offline, true)]
    [InlineData(FileAttributes.Archive | (FileAttributes)0x40_0000, true)]
    [InlineData(FileAttributes.Archive | (FileAttributes)0x4_0000, true)]
    public void Content_that_is_elsewhere_is_told_by_attributes(FileAttributes attributes, bool isElsewhere)
        => Assert.Equal(isElsewhere, WindowsPlaceholder.IsElsewhere(attributes));

    [WindowsFact]
    public void Image_whose_content_is_elsewhere_is_not_fetched()
    {
        string path = _folder.File("image.qcow2");
        Qcow2Image.Create(path, 1 << 20).Dispose();
        File.SetAttributes(path, FileAttributes.Offline);
        if (!File.GetAttributes(path).HasFlag(FileAttributes.Offline))
        {
            return; // Wine does not keep it.
        }

        var error = Assert.Throws<Qcow2Exception>(() => Qcow2ImageInfo.Read(path));
        Assert.Equal(Qcow2ErrorCode.FileOffline, error.Code);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.NotNull(LocalFile.TryIdentify(path)); // To know which file it is nothing is read.
    }

    [WindowsFact]
    public void Host_says_what_its_volumes_are() => Assert.Null(FileSizeLimit.Of(Path.GetTempPath()));

    [WindowsFact]
    public void Device_is_no_image() => Assert.Throws<IOException>(() => LocalFile.OpenRead("nul"));
}
