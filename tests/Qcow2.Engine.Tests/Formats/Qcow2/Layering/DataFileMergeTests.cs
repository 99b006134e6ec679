using Qcow2.Engine.Chains;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>
/// Merging where an external data file is longer than its disk, because somebody lengthened it by other means. The disk shows what it
/// showed, also where the destination grows over what its data file holds; and what is past a disk stays in the file.
/// </summary>
public sealed class DataFileMergeTests : IDisposable
{
    private const int Cluster = 65_536;
    private const int Small = 4 * Cluster;
    private const int Large = 16 * Cluster;

    private readonly TempFolder _folder = new();

    public static TheoryData<bool, int, int> Cases
    {
        get
        {
            var cases = new TheoryData<bool, int, int>();
            foreach (bool isRaw in (bool[])[true, false])
            {
                foreach (int size in (int[])[Small, Small - 512, Small + 5120])
                {
                    foreach (int dataEnd in (int[])[Small + Cluster + 700, Large, Large + Cluster])
                    {
                        cases.Add(isRaw, size, dataEnd);
                    }
                }
            }

            return cases;
        }
    }

    private string Base => _folder.File("base.qcow2");

    private string Top => _folder.File("top.qcow2");

    private string Data => _folder.File("disk.data");

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Cases))]
    public void What_a_longer_data_file_of_the_base_holds_does_not_show(bool isRaw, int size, int dataEnd)
    {
        byte[] disk = new byte[Large];
        disk.AsSpan(0, size).Fill(0x42);
        using (Qcow2Image image = Qcow2Image.Create(Base, size, new() { DataFile = "disk.data", DataFileRaw = isRaw }))
        {
            image.Write(0, disk.AsSpan(0, size));
        }

        using (Qcow2Image image = Qcow2Image.Create(Top, Large, new() { BackingFile = "base.qcow2", BackingFormat = "qcow2" }))
        {
            foreach (int offset in (int[])[1000, size - 100, size + 3000, Large - 2000])
            {
                image.Write(offset, [1, 2, 3]);
                new byte[] { 1, 2, 3 }.CopyTo(disk, offset);
            }
        }

        byte[] file = Lengthen(dataEnd);
        ImageMerge.Merge(Top);

        AssertDisk(Base, disk);
        AssertDisk(Top, disk);
        byte[] after = File.ReadAllBytes(Data);
        Assert.Equal(Math.Max(Large, dataEnd), after.Length);
        Assert.Equal(file.AsSpan(Math.Min(Large, dataEnd)).ToArray(), after.AsSpan(Large, Math.Max(0, dataEnd - Large)).ToArray());
        if (isRaw)
        {
            Assert.Equal(disk, after.AsSpan(0, Large).ToArray());
        }
    }

    [Fact]
    public void An_image_that_is_emptied_leaves_what_its_data_file_holds_past_its_disk()
    {
        byte[] disk = [.. Enumerable.Repeat((byte)0x42, Small)];
        _folder.Write("base.raw", disk);
        using (Qcow2Image image = Qcow2Image.Create(Top, Small, new() { BackingFile = "base.raw", BackingFormat = "raw", DataFile = "disk.data" }))
        {
            image.Write(0, [1]);
            disk[0] = 1;
        }

        byte[] file = Lengthen(Large);
        ImageMerge.Merge(Top);
        AssertDisk(Top, disk);
        Assert.Equal([.. new byte[Small], .. file.AsSpan(Small)], File.ReadAllBytes(Data));
    }

    /// <returns>What the data file holds.</returns>
    private byte[] Lengthen(int length)
    {
        byte[] before = File.ReadAllBytes(Data);
        byte[] file = [.. before, .. Enumerable.Repeat((byte)0xEE, length - before.Length)];
        File.WriteAllBytes(Data, file);
        return file;
    }

    private void AssertDisk(string path, byte[] expected)
    {
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            Assert.Equal(expected, DiskModel.ReadAll(image));
        }

        (int corruptions, int leaks, string output) = QemuJudge.Check(path);
        Assert.True(corruptions == 0 && leaks == 0, output);
        if (QemuJudge.Read(path, _folder) is byte[] byQemu)
        {
            Assert.Equal(expected, byQemu);
        }
    }
}
