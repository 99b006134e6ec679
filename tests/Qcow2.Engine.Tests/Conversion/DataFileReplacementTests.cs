using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

public sealed class DataFileReplacementTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Data_file_stays_if_its_image_cannot_be_replaced()
    {
        var layout = new Qcow2CreateOptions { DataFile = "disk.data" };
        string path = _folder.File("disk.qcow2");
        Qcow2Image.Create(path, 1 << 20, layout).Dispose();
        byte[] before = File.ReadAllBytes(_folder.File("disk.data"));
        byte[] content = new byte[1 << 20];
        content.AsSpan().Fill(7);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));

        Assert.ThrowsAny<IOException>(() => DiskConverter.ConvertToQcow2(source, path, layout, overwrite: true, progress: new BecomesFolder(path)));

        Assert.Equal(before, File.ReadAllBytes(_folder.File("disk.data")));
    }

    /// <summary>Puts a folder where the image was while it is being replaced.</summary>
    private sealed class BecomesFolder(string path) : IProgress<WorkProgress>
    {
        private int _calls;

        public void Report(WorkProgress value)
        {
            if (Interlocked.Increment(ref _calls) == 1)
            {
                File.Delete(path);
                Directory.CreateDirectory(path);
            }
        }
    }
}
