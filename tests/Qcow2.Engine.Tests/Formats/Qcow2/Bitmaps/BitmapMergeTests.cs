using System.Globalization;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>Bitmaps of another image that are merged are those that <c>qemu-img bitmap --merge -b</c> merges.</summary>
public sealed class BitmapMergeTests : IDisposable
{
    private const int Size = 3 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData(65_536, 65_536)]
    [InlineData(512, 65_536)]
    [InlineData(65_536, 512)]
    [InlineData(4096, 1 << 20)]
    [InlineData(1 << 20, 4096)]
    public void Marks_are_qemus(long from, long to)
    {
        var random = new Random(TestRounds.Seed($"{from} {to}"));
        string source = MakeImage("source.qcow2", "from", from, random);
        string ours = MakeImage("ours.qcow2", "to", to, random);
        string theirs = _folder.File("theirs.qcow2");
        File.Copy(ours, theirs);
        QemuImg.Run("bitmap", "--merge", "from", "-b", source, "-F", "qcow2", theirs, "to");

        using (Qcow2Image other = Qcow2Image.Open(source))
        using (Qcow2Image image = Qcow2Image.Open(ours, new Qcow2OpenOptions { Writable = true }))
        {
            image.MergeBitmap(other, "from", "to");
        }

        BitmapOnDisk expected = BitmapReader.ReadFile(theirs)["to"];
        BitmapOnDisk actual = BitmapReader.ReadFile(ours)["to"];
        Assert.NotEmpty(expected.Dirty);
        Assert.Equal(expected.Dirty, actual.Dirty);
        Assert.Equal(expected.Flags, actual.Flags);
        (int corruptions, int leaks, string said) = QemuJudge.Check(ours);
        Assert.True(corruptions == 0 && leaks == 0, said);
    }

    [Fact]
    public void What_cannot_be_merged_is_refused_and_nothing_changes()
    {
        var random = new Random(1);
        string small = _folder.File("small.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(small, Size / 2))
        {
            image.CreateBitmap("from");
        }

        string source = MakeOurs("source.qcow2", "from", random);
        string path = MakeOurs("disk.qcow2", "to", random);
        byte[] before = File.ReadAllBytes(path);
        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true, WithoutBacking = true }))
        using (Qcow2Image other = Qcow2Image.Open(source))
        using (Qcow2Image shorter = Qcow2Image.Open(small))
        {
            Assert.Throws<ArgumentException>(() => image.MergeBitmap(shorter, "from", "to"));
            Assert.Equal(Qcow2ErrorCode.BitmapNotFound, Assert.Throws<Qcow2Exception>(() => image.MergeBitmap(other, "to", "to")).Code);
            Assert.Equal(Qcow2ErrorCode.BitmapNotFound, Assert.Throws<Qcow2Exception>(() => image.MergeBitmap(other, "from", "from")).Code);
            using var stopped = new CancellationTokenSource();
            stopped.Cancel();
            Assert.Throws<OperationCanceledException>(() => image.MergeBitmap(other, "from", "to", stopped.Token));
        }

        Assert.Equal(before, File.ReadAllBytes(path));
    }

    private string MakeOurs(string name, string bitmap, Random random)
    {
        string path = _folder.File(name);
        using (Qcow2Image image = Qcow2Image.Create(path, Size))
        {
            image.CreateBitmap(bitmap);
            image.Write(random.Next(Size - 1), [1]);
            image.DisableBitmap(bitmap);
        }

        return path;
    }

    /// <summary>An image with a bitmap that QEMU marked.</summary>
    private string MakeImage(string name, string bitmap, long granularity, Random random)
    {
        string path = _folder.File(name);
        QemuImg.Run("create", "-q", "-f", "qcow2", path, $"{Size}");
        QemuImg.Run("bitmap", "--add", "-g", granularity.ToString(CultureInfo.InvariantCulture), path, bitmap);
        string[] writes = [.. Enumerable.Range(0, 6).SelectMany(_ => new[] { "-c", $"write {random.Next((Size / 512) - 200) * 512} {(1 + random.Next(200)) * 512}" })];
        QemuImg.RunIo(["-f", "qcow2", .. writes, path]);
        return path;
    }
}
