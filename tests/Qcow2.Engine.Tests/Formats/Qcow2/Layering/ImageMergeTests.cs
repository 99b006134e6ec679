using Qcow2.Engine.Chains;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>What a merge refuses, grows, gives back and leaves alone.</summary>
public sealed class ImageMergeTests : IDisposable
{
    private const int Cluster = 65_536;

    private static readonly Qcow2OpenOptions Writable = new() { Writable = true };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Overlay_is_emptied_and_its_file_gets_small()
    {
        string overlay = MakeOverlay(64 * Cluster, 64 * Cluster, image => image.Write(0, Filled(60 * Cluster, 7)));
        Assert.True(new FileInfo(overlay).Length > 60 * Cluster);

        string destination = ImageMerge.Merge(overlay);

        Assert.Equal(_folder.File("base.qcow2"), destination);
        Assert.True(new FileInfo(overlay).Length <= 5 * Cluster, $"{new FileInfo(overlay).Length} bytes are left.");
        Assert.All(Extents(overlay), extent => Assert.Equal(1, extent.Depth));
        Assert.Equal(7, ReadAt(destination, (60 * Cluster) - 1));
        Assert.Equal((0, 0), Check(overlay));
        Assert.Equal((0, 0), Check(destination));
    }

    [Fact]
    public void Zeros_of_the_overlay_take_no_space_in_the_base()
    {
        string overlay = MakeOverlay(64 * Cluster, 64 * Cluster, image => image.WriteZeroes(4 * Cluster, 40 * Cluster), image => image.Write(0, Filled(64 * Cluster, 9)));

        string destination = ImageMerge.Merge(overlay);

        using Qcow2Image image = Qcow2Image.Open(destination);
        Assert.Equal([ExtentKind.Data, ExtentKind.Unallocated, ExtentKind.Data], KindsOf(image));
        Assert.Equal((0, 0), Check(destination));
    }

    [Fact]
    public void Raw_base_grows_and_has_holes_where_the_overlay_has_zeros()
    {
        string path = _folder.Write("base.raw", Filled(16 * Cluster, 5));
        string overlay = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(overlay, 32 * Cluster, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" }))
        {
            image.WriteZeroes(Cluster, 8 * Cluster);
            image.Write((32 * Cluster) - 1, [6]);
        }

        ImageMerge.Merge(overlay);

        byte[] raw = File.ReadAllBytes(path);
        Assert.Equal(32 * Cluster, raw.Length);
        Assert.Equal((5, 0, 0, 5, 0, 6), (raw[0], raw[Cluster], raw[(9 * Cluster) - 1], raw[9 * Cluster], raw[16 * Cluster], raw[^1]));
        if (OperatingSystem.IsLinux())
        {
            using var file = LocalFile.OpenRead(path);
            Assert.True(file.AllocatedLength <= 10 * Cluster, $"{file.AllocatedLength} bytes are taken.");
        }
    }

    [Fact]
    public void Raw_base_that_looks_like_an_image_stays_raw()
    {
        byte[] planted = [.. File.ReadAllBytes(Fixtures.Get("backing-base").Path), .. new byte[3 * Cluster]];
        string path = _folder.Write("base.raw", planted);
        string overlay = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(overlay, null, new Qcow2CreateOptions { BackingFile = "base.raw", BackingFormat = "raw" }))
        {
            image.Write(planted.Length - 100, Filled(10, 1));
        }

        ImageMerge.Merge(overlay);

        Filled(10, 1).CopyTo(planted, planted.Length - 100);
        Assert.Equal(planted, File.ReadAllBytes(path));
    }

    [Fact]
    public void Snapshots_of_an_emptied_overlay_and_of_the_base_stay()
    {
        Fixture fixture = Fixtures.Get("snapshots");
        string below = _folder.Write("base.qcow2", File.ReadAllBytes(fixture.Path));
        string overlay = _folder.Write("overlay.qcow2", File.ReadAllBytes(fixture.Path));
        ImageRebase.Rebase(overlay, new ImageRebaseOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2", MetadataOnly = true });
        Dictionary<string, byte[]> ofBase = Snapshots(below);
        var ofOverlay = new Dictionary<string, List<DiskExtent>>();
        using (Qcow2Image image = Qcow2Image.Open(overlay))
        {
            foreach (SnapshotTableEntry snapshot in image.Snapshots)
            {
                ofOverlay.Add(snapshot.Id, [.. image.OpenSnapshot(snapshot).GetExtents().Where(extent => extent.Depth == 0)]);
            }
        }

        ImageMerge.Merge(overlay);

        Assert.Equal((0, 0), Check(overlay));
        Assert.Equal((0, 0), Check(below));
        Dictionary<string, byte[]> after = Snapshots(below);
        Assert.Equal(ofBase.Keys, after.Keys);
        Assert.All(ofBase, snapshot => Assert.Equal(snapshot.Value, after[snapshot.Key]));
        using Qcow2Image emptied = Qcow2Image.Open(overlay);
        Assert.Equal(ofOverlay.Keys, emptied.Snapshots.Select(snapshot => snapshot.Id));
        Assert.All(emptied.Snapshots, snapshot => Assert.Equal(
            ofOverlay[snapshot.Id], emptied.OpenSnapshot(snapshot).GetExtents().Where(extent => extent.Depth == 0)));
    }

    [Fact]
    public void Encrypted_images_are_merged_with_their_passphrase_and_refused_without()
    {
        Fixture fixture = Fixtures.Get("luks");
        string below = _folder.Write("base.qcow2", File.ReadAllBytes(fixture.Path));
        string overlay = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(overlay, null, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2", ClusterSize = 512 }))
        {
            image.Write(0, Filled(512, 3));
        }

        byte[] before = File.ReadAllBytes(below);
        var error = Assert.Throws<Qcow2Exception>(() => ImageMerge.Merge(overlay));
        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, error.Code);
        Assert.Equal(before, File.ReadAllBytes(below));

        using Passphrase passphrase = Passphrase.FromString(fixture.Passphrase!);
        ImageMerge.Merge(overlay, new ImageMergeOptions { Open = new Qcow2OpenOptions { Passphrase = passphrase } });

        using Qcow2Image merged = Qcow2Image.Open(below, new Qcow2OpenOptions { Passphrase = passphrase });
        byte[] first = new byte[512];
        merged.Read(0, first);
        Assert.Equal(Filled(512, 3), first);
    }

    [Fact]
    public void What_cannot_be_merged_is_refused_and_nothing_changes()
    {
        string overlay = MakeOverlay(4 * Cluster, 4 * Cluster, image => image.Write(0, Filled(100, 1)));
        string below = _folder.File("base.qcow2");
        string stranger = _folder.Write("stranger.qcow2", File.ReadAllBytes(below));
        byte[][] before = [File.ReadAllBytes(overlay), File.ReadAllBytes(below)];

        Assert.Equal(Qcow2ErrorCode.NoBackingFile, Assert.Throws<Qcow2Exception>(() => ImageMerge.Merge(below)).Code);
        Assert.Equal(Qcow2ErrorCode.NotInBackingChain, Refusal(stranger).Code);
        Assert.Equal(Qcow2ErrorCode.DestinationIsSource, Refusal(overlay).Code);
        Assert.Throws<FileNotFoundException>(() => ImageMerge.Merge(overlay, new ImageMergeOptions { DestinationPath = _folder.File("nothing") }));
        if (OperatingSystem.IsLinux())
        {
            using (Qcow2Image.Open(below))
            {
                Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => ImageMerge.Merge(overlay)).Code);
            }

            using (Qcow2Image.Open(overlay, Writable with { Writable = false, ForceShare = false }))
            {
                Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => ImageMerge.Merge(overlay)).Code);
            }
        }

        Assert.Equal(before, [File.ReadAllBytes(overlay), File.ReadAllBytes(below)]);

        Qcow2Exception Refusal(string destination)
            => Assert.Throws<Qcow2Exception>(() => ImageMerge.Merge(overlay, new ImageMergeOptions { DestinationPath = destination }));
    }

    [Fact]
    public void Cancelled_merge_leaves_the_overlay_and_can_be_done_again()
    {
        string overlay = MakeOverlay(200 * Cluster, 200 * Cluster, image => image.Write(0, Filled(200 * Cluster, 4)));
        using var stop = new CancellationTokenSource();
        var progress = new Counter(_ => stop.Cancel());

        Assert.Throws<OperationCanceledException>(() => ImageMerge.Merge(overlay, new ImageMergeOptions { ThrottleLimit = 1 }, progress, stop.Token));
        Assert.Single(progress.Reports);
        Assert.Equal(4, ReadAt(overlay, (200 * Cluster) - 1));
        Assert.Equal((0, 0), Check(_folder.File("base.qcow2")));

        progress = new Counter(_ => { });
        ImageMerge.Merge(overlay, null, progress);
        Assert.Equal(4, ReadAt(_folder.File("base.qcow2"), (200 * Cluster) - 1));
        Assert.Equal(new WorkProgress(200 * Cluster, 200 * Cluster), progress.Reports.MaxBy(report => report.BytesDone));
    }

    [Fact]
    public void What_the_overlay_has_not_is_never_read()
    {
        string overlay = MakeOverlay(64 * Cluster, 64 * Cluster, image => image.Write(0, Filled(Cluster, 1)), image => image.Write(0, Filled(64 * Cluster, 9)));
        long reads = 0;
        var storage = new MemoryStorage(File.ReadAllBytes(_folder.File("base.qcow2")), _folder.File("base.qcow2"));
        using var top = Qcow2Image.OpenOver(
            new MemoryStorage(File.ReadAllBytes(overlay), overlay), new StandInDisk("base", 64 * Cluster), new Qcow2OpenOptions());
        using Qcow2Image destination = Qcow2Image.Open(storage, Writable);
        storage.BeforeRead = (_, length) => reads += length;

        ImageMerge.Merge(top, destination, 1, empties: false, 1, null, default);

        Assert.True(reads <= 3 * Cluster, $"{reads} bytes were read of the base.");
    }

    private static byte[] Filled(int length, byte value)
    {
        byte[] data = new byte[length];
        data.AsSpan().Fill(value);
        return data;
    }

    private static (int, int) Check(string path)
    {
        (int corruptions, int leaks, _) = QemuJudge.Check(path);
        return (corruptions, leaks);
    }

    private static List<DiskExtent> Extents(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return [.. image.GetExtents()];
    }

    private static List<ExtentKind> KindsOf(VirtualDisk disk)
    {
        var kinds = new List<ExtentKind>();
        foreach (DiskExtent extent in disk.GetExtents())
        {
            ExtentKind kind = extent.Kind == ExtentKind.Zero ? ExtentKind.Unallocated : extent.Kind;
            if (kinds.Count == 0 || kinds[^1] != kind)
            {
                kinds.Add(kind);
            }
        }

        return kinds;
    }

    private static int ReadAt(string path, long offset)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        byte[] one = new byte[1];
        Assert.Equal(1, image.Read(offset, one));
        return one[0];
    }

    private static Dictionary<string, byte[]> Snapshots(string path)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(image.OpenSnapshot(snapshot)));
    }

    private string MakeOverlay(long baseSize, long size, Action<Qcow2Image> write, Action<Qcow2Image>? writeBase = null)
    {
        using (Qcow2Image image = Qcow2Image.Create(_folder.File("base.qcow2"), baseSize))
        {
            writeBase?.Invoke(image);
        }

        string path = _folder.File("overlay.qcow2");
        using Qcow2Image overlay = Qcow2Image.Create(path, size, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" });
        write(overlay);
        return path;
    }

    private sealed class Counter(Action<WorkProgress> onReport) : IProgress<WorkProgress>
    {
        internal List<WorkProgress> Reports { get; } = [];

        public void Report(WorkProgress value)
        {
            lock (Reports)
            {
                Reports.Add(value);
            }

            onReport(value);
        }
    }
}
