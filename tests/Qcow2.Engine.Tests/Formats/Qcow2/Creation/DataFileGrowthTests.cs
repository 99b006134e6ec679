using Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>
/// An external data file that somebody lengthened by other means, and an image that is resized then. Nothing that the file holds is
/// overwritten by growth: a raw one shows it, as in QEMU, and another hides it.
/// </summary>
public sealed class DataFileGrowthTests : IDisposable
{
    private const int Cluster = 65_536;
    private const int Small = 4 * Cluster;
    private const int Appended = 3 * Cluster;
    private const int Large = 16 * Cluster;

    private readonly TempFolder _folder = new();

    public static TheoryData<Preallocation, bool, int> Cases
    {
        get
        {
            var cases = new TheoryData<Preallocation, bool, int>();
            foreach (Preallocation how in (Preallocation[])[Preallocation.Off, Preallocation.Metadata, Preallocation.Falloc, Preallocation.Full])
            {
                foreach (bool isExtended in (bool[])[false, true])
                {
                    foreach (int size in (int[])[Small, Small - 512, Small + 5120])
                    {
                        cases.Add(how, isExtended, size);
                    }
                }
            }

            return cases;
        }
    }

    private string Image => _folder.File("disk.qcow2");

    private string Data => _folder.File("disk.data");

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Cases))]
    public void A_raw_data_file_shows_what_it_holds(Preallocation how, bool isExtended, int size)
    {
        byte[] file = Make(size, isRaw: true, isExtended, Write(size));
        Resize(Large, how);

        Array.Resize(ref file, Large);
        Assert.Equal(file, File.ReadAllBytes(Data));
        AssertDisk(file);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Another_data_file_keeps_what_it_holds_and_hides_it(Preallocation how, bool isExtended, int size)
    {
        byte[] file = Make(size, isRaw: false, isExtended, Write(size));
        Resize(Large, how);

        byte[] disk = [.. file.AsSpan(0, size), .. new byte[Large - size]];
        AssertDisk(disk);
        Array.Resize(ref file, Large);
        int kept = (size + Cluster - 1) / Cluster * Cluster; // The disk's last cluster is the disk's, and must read as zeros.
        Assert.Equal(file.AsSpan(kept).ToArray(), File.ReadAllBytes(Data).AsSpan(kept).ToArray());

        // What is written then is shown, with zeros around it.
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.Write(kept + 1000, [1, 2, 3]);
            new byte[] { 1, 2, 3 }.CopyTo(disk, kept + 1000);
        }

        AssertDisk(disk);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_disk_that_shrinks_cuts_its_data_file_as_in_QEMU(bool isRaw)
    {
        byte[] file = Make(Small, isRaw, isExtended: false, Write(Small));
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.Resize(Small - Cluster, allowShrink: true);
        }

        Assert.Equal(file.AsSpan(0, Small - Cluster).ToArray(), File.ReadAllBytes(Data));
        Resize(Small, Preallocation.Off);
        AssertDisk([.. file.AsSpan(0, Small - Cluster), .. new byte[Cluster]]);
    }

    [Fact]
    public void Growth_up_to_a_part_of_a_longer_file_leaves_the_rest()
    {
        byte[] file = Make(Small, isRaw: true, isExtended: false, Write(Small));
        Resize(Small + Cluster + 512, Preallocation.Full);
        Assert.Equal(file, File.ReadAllBytes(Data));
        AssertDisk(file.AsSpan(0, Small + Cluster + 512).ToArray());
    }

    [Theory]
    [InlineData(Preallocation.Metadata, true)]
    [InlineData(Preallocation.Falloc, true)]
    [InlineData(Preallocation.Full, true)]
    [InlineData(Preallocation.Metadata, false)]
    [InlineData(Preallocation.Falloc, false)]
    [InlineData(Preallocation.Full, false)]
    public void Growth_that_is_stopped_leaves_what_the_file_holds(Preallocation how, bool isRaw)
    {
        byte[] file = Make(Small, isRaw, isExtended: false, Write(Small));
        using (var stop = new CancellationTokenSource())
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            Assert.Throws<OperationCanceledException>(
                () => image.Resize(Large, preallocation: how, progress: new Stopping(stop), cancellationToken: stop.Token));
        }

        Assert.Equal(file, File.ReadAllBytes(Data).AsSpan(0, file.Length).ToArray());
        AssertDisk(file.AsSpan(0, Small).ToArray());
        Resize(Large, Preallocation.Off);
        Array.Resize(ref file, Large);
        AssertDisk(isRaw ? file : [.. file.AsSpan(0, Small), .. new byte[Large - Small]]);
    }

    [Fact]
    public void What_shows_up_is_a_change_for_bitmaps()
    {
        byte[] file = Make(Small, isRaw: true, isExtended: false, Write(Small));
        using (Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true }))
        {
            image.CreateBitmap("b", Cluster);
            image.Resize(Large);
        }

        bool[] bits = BitmapReader.Read(File.ReadAllBytes(Image))["b"].Bits;
        Assert.Equal(Enumerable.Range(0, Large / Cluster).Select(i => i >= Small / Cluster && i < file.Length / Cluster), bits.Take(Large / Cluster));
    }

    [Fact]
    public void A_new_image_does_not_take_an_existing_data_file()
    {
        byte[] old = [1, 2, 3];
        _folder.Write("disk.data", old);
        Assert.Equal(
            Qcow2ErrorCode.DestinationExists,
            Assert.Throws<Qcow2Exception>(() => Qcow2Image.CreateFile(Image, Small, new() { DataFile = "disk.data", DataFileRaw = true })).Code);
        Assert.Equal(old, File.ReadAllBytes(Data));
    }

    [QemuTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void QEMU_shows_the_same_of_its_own(bool isRaw)
    {
        string raw = isRaw ? "on" : "off";
        byte[] file = new byte[Small + Appended];
        file.AsSpan().Fill(84);
        foreach (string name in (string[])["qemu", "ours"])
        {
            QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-o", $"data_file={name}.data,data_file_raw={raw}", $"{name}.qcow2", $"{Small}");
            QemuImg.TryRunIoIn(_folder.Path, "-f", "qcow2", "-c", $"write -q -P 84 0 {Small}", $"{name}.qcow2");
            File.WriteAllBytes(_folder.File($"{name}.data"), file);
        }

        QemuImg.RunIn(_folder.Path, "resize", "-q", "qemu.qcow2", $"{Large}");
        using (Qcow2Image image = Qcow2Image.Open(_folder.File("ours.qcow2"), new() { Writable = true }))
        {
            image.Resize(Large);
        }

        Assert.Equal(QemuJudge.Read(_folder.File("qemu.qcow2"), _folder), QemuJudge.Read(_folder.File("ours.qcow2"), _folder));
        Assert.Equal(File.ReadAllBytes(_folder.File("qemu.data")), File.ReadAllBytes(_folder.File("ours.data")));
        Assert.Equal(0, QemuJudge.Check(_folder.File("ours.qcow2")).Corruptions);
    }

    private static byte[] Write(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)((i % 250) + 1))];

    /// <summary>Makes an image, and lengthens its data file behind its back.</summary>
    /// <returns>What the data file holds.</returns>
    private byte[] Make(int size, bool isRaw, bool isExtended, byte[] content)
    {
        using (Qcow2Image image = Qcow2Image.Create(Image, size, new() { DataFile = "disk.data", DataFileRaw = isRaw, ExtendedL2 = isExtended }))
        {
            image.Write(0, content);
        }

        byte[] file = [.. content, .. Enumerable.Repeat((byte)0xEE, Appended)];
        File.WriteAllBytes(Data, file);
        return file;
    }

    private void Resize(int size, Preallocation how)
    {
        using Qcow2Image image = Qcow2Image.Open(Image, new() { Writable = true });
        image.Resize(size, preallocation: how);
    }

    private void AssertDisk(byte[] expected)
    {
        using (Qcow2Image image = Qcow2Image.Open(Image))
        {
            Assert.Equal(expected, DiskModel.ReadAll(image));
        }

        (int corruptions, int leaks, string output) = QemuJudge.Check(Image);
        Assert.True(corruptions == 0 && leaks == 0, output);
        if (QemuJudge.Read(Image, _folder) is byte[] byQemu)
        {
            Assert.Equal(expected, byQemu);
        }
    }

    private sealed class Stopping(CancellationTokenSource stop) : IProgress<long>
    {
        public void Report(long value) => stop.Cancel();
    }
}
