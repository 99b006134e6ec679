using System.Globalization;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Bitmaps;

/// <summary>A bitmap that we keep holds the same bits as one that QEMU keeps over the same writes.</summary>
public sealed class BitmapQemuTests : IDisposable
{
    private const int Size = 3 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("cluster_size=65536", new[] { 65536, 512, 4096 })]
    [InlineData("cluster_size=4096", new[] { 512, 1 << 20, int.MinValue })]
    [InlineData("cluster_size=512", new[] { 512, 1024 })]
    [InlineData("cluster_size=2M", new[] { 512, 65536 })]
    [InlineData("cluster_size=65536,extended_l2=on", new[] { 4096, 512 })]
    [InlineData("cluster_size=65536,data_file=data.raw", new[] { 4096, 65536 })]
    [InlineData("cluster_size=4096,refcount_bits=1", new[] { 512, 32768 })]
    public void Same_writes_set_the_same_bits(string layout, int[] granularities)
    {
        int seed = TestRounds.Seed(layout);
        var random = new Random(seed);
        string ours = Make("ours", layout, granularities);
        string theirs = Make("theirs", layout, granularities);
        for (int round = TestRounds.Times(4); round > 0; round--)
        {
            List<string> commands = [];
            using (Qcow2Image image = Qcow2Image.Open(ours, new Qcow2OpenOptions { Writable = true }))
            {
                for (int i = 0; i < 12; i++)
                {
                    commands.Add(Change(image, random));
                }

                Assert.All(image.Bitmaps, bitmap => Assert.Equal(0u, (uint)bitmap.Flags & BitmapOnDisk.InUse));
            }

            Io(theirs, commands);
            AssertSame(ours, theirs, $"{layout}, QCOW2_TEST_SEED={seed}");

            // And the other way round: each goes on with what the other saved.
            (ours, theirs) = (theirs, ours);
        }
    }

    [QemuTheory]
    [InlineData("cluster_size=65536", new long[] { 5 << 20, 1 << 20, 9_000_448, 512 })]
    [InlineData("cluster_size=512", new long[] { 5 << 20, 40 << 20, 300 << 10, 512, 2 << 20 })]
    [InlineData("cluster_size=4096,extended_l2=off", new long[] { 70 << 20, 3 << 20, 2_097_664 })]
    public void Resize_keeps_the_same_bits(string layout, long[] sizes)
    {
        int seed = TestRounds.Seed(layout);
        var random = new Random(seed);
        int[] granularities = [512, 65536, 1 << 20];
        string ours = Make("ours", layout, granularities);
        string theirs = Make("theirs", layout, granularities);
        foreach (string path in (string[])[ours, theirs])
        {
            QemuImg.Run("bitmap", "--add", "-g", "512", path, "off");
            QemuImg.RunIo("-c", "write 100000 5000", "-c", "write 3100000 40000", path);
            QemuImg.Run("bitmap", "--disable", path, "off");
        }

        foreach (long size in sizes)
        {
            List<string> commands = [];
            using (Qcow2Image image = Qcow2Image.Open(ours, new Qcow2OpenOptions { Writable = true }))
            {
                image.Write(0, [1]);
                image.Resize(size, allowShrink: true);
                for (int i = 0; i < 3; i++)
                {
                    commands.Add(Change(image, random));
                }
            }

            Io(theirs, ["write -P 1 0 1"]);
            QemuImg.Run("resize", "-q", "--shrink", "-f", "qcow2", theirs, size.ToString(CultureInfo.InvariantCulture));
            Io(theirs, commands);
            AssertSame(ours, theirs, $"{layout}, {size}, QCOW2_TEST_SEED={seed}");
        }
    }

    private static string Change(Qcow2Image image, Random random)
    {
        int length = (int)Math.Min(image.Length, random.Next(4) == 0 ? random.Next(1, 700_000) : random.Next(1, 9000));
        long offset = random.NextInt64(image.Length - length + 1);
        switch (random.Next(4))
        {
            case 0:
                image.WriteZeroes(offset, length);
                return $"write -z {offset} {length}";
            case 1:
                image.Discard(offset, length);
                return $"discard {offset} {length}";
            default:
                byte[] data = new byte[length];
                Array.Fill(data, (byte)7);
                image.Write(offset, data);
                return $"write -P 7 {offset} {length}";
        }
    }

    private static void Io(string path, List<string> commands)
    {
        ProgramResult result = QemuImg.TryRunIoIn(
            Path.GetDirectoryName(path)!, ["-d", "unmap", "-f", "qcow2", .. commands.SelectMany(command => (string[])["-c", command]), path]);
        Assert.True(result.ExitCode == 0 && !result.Output.Contains("failed", StringComparison.OrdinalIgnoreCase), result.Output + result.Error);
    }

    private static void AssertSame(string ours, string theirs, string label)
    {
        Dictionary<string, BitmapOnDisk> expected = BitmapReader.ReadFile(theirs);
        Dictionary<string, BitmapOnDisk> actual = BitmapReader.ReadFile(ours);
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string name, BitmapOnDisk bitmap) in expected)
        {
            Assert.True(bitmap.Flags == actual[name].Flags, $"{label}: bitmap {name} has the flags {actual[name].Flags}.");
            Assert.True(bitmap.Dirty.SequenceEqual(actual[name].Dirty), $"{label}: bitmap {name} has other bits.");
            Assert.Equal(bitmap.Table.Length, actual[name].Table.Length);
        }

        foreach (string path in (string[])[ours, theirs])
        {
            (int corruptions, int leaks, string said) = QemuJudge.Check(path);
            Assert.True(corruptions == 0 && leaks == 0, $"{label}: {said}");
        }

        Assert.DoesNotContain("in-use", QemuImg.RunIn(Path.GetDirectoryName(ours)!, "info", ours), StringComparison.Ordinal);
    }

    private string Make(string name, string layout, int[] granularities)
    {
        // A folder each: QEMU takes a data file's name from the current folder.
        string path = _folder.File(Path.Combine(name, "image.qcow2"));
        string folder = Path.GetDirectoryName(path)!;
        QemuImg.RunIn(folder, "create", "-q", "-f", "qcow2", "-o", layout, path, Size.ToString(CultureInfo.InvariantCulture));
        foreach (int granularity in granularities)
        {
            uint bytes = (uint)granularity; // int.MinValue is 2 GiB, the largest there is.
            QemuImg.RunIn(folder, "bitmap", "--add", "-g", bytes.ToString(CultureInfo.InvariantCulture), path, $"every-{bytes}");
        }

        return path;
    }
}
