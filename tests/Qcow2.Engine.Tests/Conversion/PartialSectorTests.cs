using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>
/// QEMU lets a qcow2 disk whose size is no multiple of 512 end before its last sector. What an overlay shows there must not depend on such a
/// backing file.
/// </summary>
public sealed class PartialSectorTests : IDisposable
{
    private const int BackingSize = 100_100;
    private const int Size = 100_352;

    private readonly TempFolder _folder = new();
    private readonly byte[] _content = new byte[Size];

    public PartialSectorTests()
    {
        for (int i = 0; i < BackingSize; i++)
        {
            _content[i] = (byte)((i % 251) + 1);
        }

        _folder.Write("content.raw", _content);
        _folder.Write("base.raw", _content.AsSpan(0, BackingSize).ToArray());
        using Qcow2Image image = Qcow2Image.Create(_folder.File("base.qcow2"), BackingSize);
        image.Write(0, _content.AsSpan(0, BackingSize));
    }

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    public void Conversion_to_an_overlay_keeps_it(string format)
    {
        string path = _folder.File("overlay.qcow2");
        using (RawDisk source = RawDisk.Open(_folder.File("content.raw")))
        {
            DiskConverter.ConvertToQcow2(source, path, Layout(format));
        }

        AssertSame(path);
    }

    [QemuTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    public void Compacting_keeps_it(string format)
    {
        string path = _folder.File("overlay.qcow2");
        using (Qcow2Image overlay = Qcow2Image.Create(path, Size, Layout(format)))
        {
            overlay.Write(0, _content);
        }

        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });

        AssertSame(path);
    }

    [QemuTheory]
    [InlineData("qcow2")]
    [InlineData("raw")]
    public void Rebasing_keeps_it(string format)
    {
        string path = _folder.File("overlay.qcow2");
        Qcow2Image.Create(path, Size, new Qcow2CreateOptions { BackingFile = "content.raw", BackingFormat = "raw" }).Dispose();

        ImageRebase.Rebase(path, new ImageRebaseOptions { BackingFile = $"base.{format}", BackingFormat = format });

        AssertSame(path);
    }

    private static Qcow2CreateOptions Layout(string format) => new() { BackingFile = $"base.{format}", BackingFormat = format };

    private void AssertSame(string path)
    {
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            Assert.Equal(_content, DiskModel.ReadAll(image));
        }

        QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", path, _folder.File("content.raw"));
    }
}
