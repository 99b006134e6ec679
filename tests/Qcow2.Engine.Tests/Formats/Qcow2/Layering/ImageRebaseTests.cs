using Qcow2.Engine.Chains;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Layering;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>What a rebase refuses, copies and leaves alone.</summary>
public sealed class ImageRebaseTests : IDisposable
{
    private const int Cluster = 65_536;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Nothing_is_copied_where_both_backing_files_hold_the_same()
    {
        byte[] content = new byte[40 * Cluster];
        new Random(1).NextBytes(content.AsSpan(0, 20 * Cluster));
        _folder.Write("old.raw", content);
        content[5 * Cluster] ^= 1;
        content.AsSpan(10 * Cluster, Cluster).Clear();
        content.AsSpan(39 * Cluster).Fill(1);
        _folder.Write("new.raw", content);
        string overlay = Overlay("old.raw");
        byte[] shown = Read(overlay);

        Rebase(overlay, "new.raw", "raw");

        using Qcow2Image image = Qcow2Image.Open(overlay);
        Assert.Equal(
            [(5 * Cluster, Cluster, ExtentKind.Data), (10 * Cluster, Cluster, ExtentKind.Data), (39 * Cluster, Cluster, ExtentKind.Zero)],
            image.GetExtents().Where(extent => extent.Depth == 0).Select(extent => ((int)extent.Offset, (int)extent.Length, extent.Kind)));
        Assert.Equal(("new.raw", "raw"), (image.Header.BackingFile, image.Header.Extension<BackingFormatExtension>()?.Format));
        Assert.Equal(shown, DiskModel.ReadAll(image));
    }

    [Fact]
    public void Image_that_is_layered_deeper_in_its_own_chain_reads_nothing_of_what_both_share()
    {
        byte[] content = new byte[8 * Cluster];
        new Random(2).NextBytes(content);
        using (Qcow2Image lowest = Qcow2Image.Create(_folder.File("base.qcow2"), content.Length))
        {
            lowest.Write(0, content);
        }

        string middle = _folder.File("middle.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(middle, null, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }))
        {
            image.Write(3 * Cluster, content.AsSpan(0, 100));
        }

        string overlay = Overlay("middle.qcow2", "qcow2");
        byte[] shown = Read(overlay);

        Rebase(overlay, "base.qcow2", "qcow2");

        Assert.Equal(shown, Read(overlay));
        using Qcow2Image rebased = Qcow2Image.Open(overlay);
        Assert.Equal([(3L * Cluster, (long)Cluster)], rebased.GetExtents().Where(extent => extent.Depth == 0).Select(extent => (extent.Offset, extent.Length)));

        // Bytes that nobody reads may be damaged.
        var shared = new PiecesOf(overlay, middle, _folder.File("base.qcow2"));
        Assert.Equal([3L * Cluster], shared.MayDiffer);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Longer_backing_file_does_not_show_where_the_old_one_had_ended(int version)
    {
        _folder.Write("old.raw", new byte[3 * Cluster]);
        byte[] longer = new byte[9 * Cluster];
        longer.AsSpan().Fill(7);
        _folder.Write("new.raw", longer);
        string overlay = _folder.File("overlay.qcow2");
        Qcow2Image.CreateFile(overlay, (6 * Cluster) + 512, new Qcow2CreateOptions { Version = version, BackingFile = "old.raw", BackingFormat = "raw" });

        Rebase(overlay, "new.raw", "raw");

        Assert.Equal(new byte[(6 * Cluster) + 512], Read(overlay));
    }

    [Fact]
    public void Image_without_a_backing_file_gets_one_and_loses_it_again()
    {
        byte[] content = new byte[5 * Cluster];
        new Random(3).NextBytes(content);
        _folder.Write("new.raw", content);
        string path = _folder.File("image.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, 6 * Cluster))
        {
            image.Write(Cluster, content.AsSpan(0, 2000));
        }

        byte[] shown = Read(path);
        Rebase(path, "new.raw", "raw");
        Assert.Equal(shown, Read(path));
        Rebase(path, null, null);

        using Qcow2Image alone = Qcow2Image.Open(path);
        Assert.Null(alone.Backing);
        Assert.Null(alone.Header.Extension<BackingFormatExtension>());
        Assert.Equal(shown, DiskModel.ReadAll(alone));
        (int corruptions, int leaks, string said) = QemuJudge.Check(path);
        Assert.True(corruptions + leaks == 0, said);
    }

    [Fact]
    public void Moved_base_is_mended_by_the_header_alone()
    {
        _folder.Write("base.raw", Filled(2 * Cluster, 8));
        string overlay = Overlay("base.raw");
        File.Move(_folder.File("base.raw"), _folder.File("elsewhere/moved.raw"));
        byte[] before = File.ReadAllBytes(overlay);

        var error = Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "elsewhere/moved.raw", "raw"));
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, error.Code);
        Assert.Equal(before, File.ReadAllBytes(overlay));
        ImageRebase.Rebase(overlay, new ImageRebaseOptions { BackingFile = "elsewhere/moved.raw", MetadataOnly = true });

        Assert.Equal(Filled(2 * Cluster, 8), Read(overlay));
        Assert.Equal(before[Cluster..], File.ReadAllBytes(overlay)[Cluster..]);
    }

    [Fact]
    public void What_cannot_be_is_refused_and_nothing_changes()
    {
        _folder.Write("base.raw", Filled(2 * Cluster, 8));
        string overlay = Overlay("base.raw");
        string above = _folder.File("above.qcow2");
        Qcow2Image.CreateFile(above, null, new Qcow2CreateOptions { BackingFile = "overlay.qcow2", BackingFormat = "qcow2" });
        byte[] before = File.ReadAllBytes(overlay);

        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "above.qcow2", "qcow2")).Code);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "overlay.qcow2", "qcow2")).Code);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => ImageRebase.Rebase(
            overlay, new ImageRebaseOptions { BackingFile = "./overlay.qcow2", BackingFormat = "qcow2", MetadataOnly = true })).Code);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "nothing", "raw")).Code);
        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "nbd://host", "raw")).Code);
        Assert.Equal(Qcow2ErrorCode.NotQcow2, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, "base.raw", "qcow2")).Code);
        Assert.Throws<ArgumentException>(() => Rebase(overlay, "base.raw", null));
        Assert.Throws<ArgumentException>(() => Rebase(overlay, "base.raw", "bochs"));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => ImageRebase.Rebase(
            overlay, new ImageRebaseOptions { BackingFile = new string('n', 1024), BackingFormat = "raw", MetadataOnly = true })).Code);
        if (OperatingSystem.IsLinux())
        {
            using (Qcow2Image.Open(overlay))
            {
                Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Rebase(overlay, null, null)).Code);
            }
        }

        Assert.Equal(before, File.ReadAllBytes(overlay));
    }

    [Fact]
    public void Raw_data_file_forbids_a_backing_file()
    {
        Fixture fixture = Fixtures.Get("data-file-raw");
        fixture.CopyTo(_folder);
        _folder.Write("base.raw", new byte[Cluster]);

        Assert.Throws<NotSupportedException>(() => Rebase(_folder.File(fixture.File), "base.raw", "raw"));
        Assert.Throws<NotSupportedException>(() => ImageRebase.Rebase(
            _folder.File(fixture.File), new ImageRebaseOptions { BackingFile = "base.raw", BackingFormat = "raw", MetadataOnly = true }));
    }

    [Fact]
    public void Cancelled_rebase_keeps_the_old_backing_file()
    {
        _folder.Write("base.raw", Filled(100 * Cluster, 8));
        string overlay = Overlay("base.raw");
        using var stop = new CancellationTokenSource();
        stop.Cancel();

        Assert.Throws<OperationCanceledException>(() => ImageRebase.Rebase(overlay, new ImageRebaseOptions(), null, stop.Token));

        Assert.Equal("base.raw", Qcow2ImageInfo.Read(overlay).BackingFile);
        Assert.Equal(Filled(100 * Cluster, 8), Read(overlay));
    }

    [Fact]
    public void Snapshot_that_shows_only_what_both_hold_does_not_stand_in_the_way()
    {
        Fixture fixture = Fixtures.Get("snapshots");
        string path = _folder.Write("image.qcow2", File.ReadAllBytes(fixture.Path));
        _folder.Write("zeros.raw", new byte[1 << 20]);
        byte[] some = new byte[1 << 20];
        some.AsSpan(100).Fill(1);
        _folder.Write("some.raw", some);
        Dictionary<string, byte[]> snapshots = Snapshots(path);

        Rebase(path, "zeros.raw", "raw");
        var error = Assert.Throws<Qcow2Exception>(() => Rebase(path, "some.raw", "raw"));

        Assert.Equal(Qcow2ErrorCode.SnapshotWouldChange, error.Code);
        Assert.Equal("zeros.raw", Qcow2ImageInfo.Read(path).BackingFile);
        Dictionary<string, byte[]> after = Snapshots(path);
        Assert.All(snapshots, snapshot => Assert.Equal(snapshot.Value, after[snapshot.Key]));
    }

    private static void Rebase(string path, string? backing, string? format)
        => ImageRebase.Rebase(path, new ImageRebaseOptions { BackingFile = backing, BackingFormat = format });

    private static byte[] Filled(int length, byte value)
    {
        byte[] data = new byte[length];
        data.AsSpan().Fill(value);
        return data;
    }

    private static byte[] Read(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return DiskModel.ReadAll(image);
    }

    private static Dictionary<string, byte[]> Snapshots(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)));
    }

    private string Overlay(string backing, string format = "raw")
    {
        string path = _folder.File("overlay.qcow2");
        Qcow2Image.CreateFile(path, null, new Qcow2CreateOptions { BackingFile = backing, BackingFormat = format });
        return path;
    }

    /// <summary>Where a rebase would look at an image's backing files.</summary>
    private sealed class PiecesOf
    {
        internal PiecesOf(string path, string old, string next)
        {
            using Qcow2Image before = Qcow2Image.Open(old);
            using Qcow2Image after = Qcow2Image.Open(next);
            string empty = path + ".empty";
            Qcow2Image.CreateFile(empty, before.Length, new Qcow2CreateOptions { BackingFile = Path.GetFileName(old), BackingFormat = "qcow2" });
            using Qcow2Image image = Qcow2Image.Open(empty);
            MayDiffer = [.. RebasePiece.Of(image, image.Backing, after, RebasePiece.MaxLength, default).Where(piece => piece.MayDiffer).Select(piece => piece.Offset)];
        }

        internal List<long> MayDiffer { get; }
    }
}
