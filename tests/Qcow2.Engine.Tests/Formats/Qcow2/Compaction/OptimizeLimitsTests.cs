using System.Buffers.Binary;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Compaction;

/// <summary>Images that are damaged, made to do harm or at a limit of the format, and files that are not what a name says.</summary>
public sealed class OptimizeLimitsTests : IDisposable
{
    private const int ClusterSize = 4096;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1UL << 53)]
    [InlineData(1UL << 60)]
    [InlineData(ulong.MaxValue)]
    public void Size_that_a_snapshot_claims_takes_no_memory(ulong size)
    {
        string path = Make(image => image.CreateSnapshot("one"));
        Patch(path, bytes => BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(SnapshotTable(bytes) + 40 + 8), size));

        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<Qcow2Exception>(() => ImageOptimizer.Optimize(path));

        Assert.Equal(Qcow2ErrorCode.SnapshotDamaged, error.Code);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 8 << 20);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Length_that_a_LUKS_header_claims_takes_no_memory()
    {
        Fixture fixture = Fixtures.Get("luks");
        string path = fixture.CopyTo(_folder);
        Patch(path, bytes =>
        {
            int at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16]); // Full disk encryption header pointer, 16 bytes.
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(at + 16), 1UL << 30);
        });
        using (FileStream file = File.OpenWrite(path))
        {
            file.SetLength(2L << 30);
        }

        var error = Assert.Throws<Qcow2Exception>(() => ImageOptimizer.Optimize(path));

        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
    }

    [Fact]
    public void Snapshots_that_have_one_table_are_refused()
    {
        string path = Make(image =>
        {
            image.CreateSnapshot("one");
            image.CreateSnapshot("two");
        });
        Patch(path, bytes =>
        {
            int first = SnapshotTable(bytes);
            int length = (40 + 24 + 1 + 3 + 7) & ~7; // Fixed part, extra data, id and name.
            bytes.AsSpan(first, 8).CopyTo(bytes.AsSpan(first + length));
        });

        var error = Assert.Throws<Qcow2Exception>(() => ImageOptimizer.Optimize(path));

        Assert.Contains("same place", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Narrow_refcounts_have_room_for_the_snapshots_of_what_is_compressed()
    {
        string path = Make(
            image =>
            {
                for (int i = 0; i < 20; i++)
                {
                    image.Write(i * ClusterSize, Filled(i));
                }

                image.CreateSnapshot("one");
                for (int i = 20; i < 200; i++)
                {
                    image.Write(i * ClusterSize, Filled(i));
                }

                image.WriteZeroes(40 * ClusterSize, 160 * ClusterSize);
            },
            new Qcow2CreateOptions { ClusterSize = ClusterSize, RefcountBits = 2 });
        using Qcow2Image before = Qcow2Image.Open(path);
        byte[] content = DiskModel.ReadAll(before);
        before.Dispose();

        Qcow2OptimizeResult result = ImageOptimizer.Optimize(path, new ImageOptimizeOptions { Compress = true });

        Assert.True(result.IsReplaced);
        using Qcow2Image after = Qcow2Image.Open(path);
        Assert.Equal(content, DiskModel.ReadAll(after));
        Assert.True(Qcow2Checker.Check(path).IsHealthy);
    }

    [Fact]
    public void Overlay_that_grew_after_its_snapshot_is_compacted()
    {
        byte[] below = new byte[200_000];
        below.AsSpan().Fill(9);
        _folder.Write("base.raw", below);
        string path = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, 100_352, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" }))
        {
            image.CreateSnapshot("one");
            image.Resize(300_032);
        }

        List<byte[]> before = Disks(path);
        ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });

        Assert.Equal(before, Disks(path));
        Assert.True(Qcow2Checker.Check(path).IsHealthy);
    }

    [Fact]
    public void File_with_two_names_is_refused()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // The host is not asked there.
        }

        string path = Make(_ => { });
        using (var link = System.Diagnostics.Process.Start("ln", [path, _folder.File("other.qcow2")]))
        {
            link.WaitForExit();
        }

        var error = Assert.Throws<NotSupportedException>(() => ImageOptimizer.Optimize(path));

        Assert.Contains("2 names", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Filled(int value)
    {
        byte[] data = new byte[ClusterSize];
        data.AsSpan().Fill((byte)(value + 1));
        return data;
    }

    private static List<byte[]> Disks(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return [DiskModel.ReadAll(image), .. image.Snapshots.Select(snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)))];
    }

    private static int SnapshotTable(byte[] image) => (int)BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(HeaderOffset.SnapshotsOffset));

    private static void Patch(string path, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(path);
        change(bytes);
        File.WriteAllBytes(path, bytes);
    }

    private string Make(Action<Qcow2Image> write, Qcow2CreateOptions? options = null)
    {
        string path = _folder.File("image.qcow2");
        using Qcow2Image image = Qcow2Image.Create(path, 1 << 20, options);
        write(image);
        return path;
    }
}
