using Qcow2.Engine.Chains;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>An image and its backing file, in memory, with what both must show; and what can be done with them.</summary>
internal sealed class ChainPair
{
    internal const string NewBase = "new.qcow2";

    private const string SharedSuffix = " shared";

    private readonly TempFolder _folder;

    private ChainPair(TempFolder folder, byte[] image, byte[] below, byte[] content, byte[] next)
    {
        _folder = folder;
        Image = image;
        Below = below;
        Content = content;
        Next = next;
    }

    /// <summary>Pairs of layouts, as their names say: the image's and its backing file's.</summary>
    internal static IReadOnlyList<string> Layouts { get; } =
    [
        "512 on 512", "4096 on 512", "512 on 65536", "65536 on 4096", "16384x on 4096", "4096 on 16384x", "v2 on v2", "4096 on raw",
        "fixture:snapshots on 4096", "4096 on fixture:snapshots", "fixture:compressed-mixed on 4096",
        "4096 on 512 shared", "512 on 65536 shared", "65536 on 4096 shared", "16384x on 4096 shared", "4096 on raw shared", "4096 on fixture:snapshots shared",
    ];

    /// <summary>The image, as a file.</summary>
    internal byte[] Image { get; }

    /// <summary>Its backing file, as a file; a raw one, too.</summary>
    internal byte[] Below { get; }

    /// <summary>What the image shows.</summary>
    internal byte[] Content { get; }

    /// <summary>What another image shows, which lies in the folder as <see cref="NewBase"/>.</summary>
    internal byte[] Next { get; }

    internal bool IsBelowRaw { get; private init; }

    /// <summary>Blocks that the files share, as on a file system with reflinks; 0 for none.</summary>
    internal int ShareBlock { get; private init; }

    /// <summary>The disk of the backing file before it was changed.</summary>
    internal byte[] BelowContent { get; private init; } = [];

    private string ImagePath => _folder.File("image.qcow2");

    private string BelowPath => _folder.File(IsBelowRaw ? "below.raw" : "below.qcow2");

    internal static ChainPair Make(string layout, TempFolder folder, Random random)
    {
        bool isShared = layout.EndsWith(SharedSuffix, StringComparison.Ordinal);
        layout = isShared ? layout[..^SharedSuffix.Length] : layout;
        string[] parts = layout.Split(" on ");
        bool isRaw = parts[1] == "raw";
        byte[] below = MakeFile(parts[1], 150_016, null, folder, random, isRaw);
        string belowName = isRaw ? "below.raw" : "below.qcow2";
        folder.Write(belowName, below);
        byte[] belowContent = isRaw ? below : Read(below, folder.File(belowName));
        byte[] image = MakeFile(parts[0], 180_224, belowName, folder, random, isRaw: false);
        byte[] content = Read(image, folder.File("image.qcow2"));
        byte[] next = MakeNext(folder, belowContent, random);
        return new ChainPair(folder, image, below, content, next) { IsBelowRaw = isRaw, BelowContent = belowContent, ShareBlock = isShared ? 512 : 0 };
    }

    /// <summary>Merges the image into its backing file.</summary>
    internal void Merge(MemoryStorage image, MemoryStorage below, bool empties, int threads = 1)
    {
        using VirtualDisk destination = OpenBelow(below, writable: true);
        using var top = Qcow2Image.OpenOver(
            image, new StandInDisk(BelowPath, destination.Length), new Qcow2OpenOptions { Writable = empties });
        ImageMerge.Merge(top, destination, 1, empties, threads, null, default);
    }

    /// <summary>Layers the image on <see cref="NewBase"/>, or on nothing.</summary>
    internal void Rebase(MemoryStorage image, bool toNone)
    {
        BackingReference? reference = toNone ? null : new BackingReference(NewBase, "qcow2");
        using VirtualDisk? next = toNone ? null : Qcow2Image.Open(_folder.File(NewBase));
        VirtualDisk before = OpenBelow(new MemoryStorage([.. Below], BelowPath), writable: false);
        using var old = new PaddedDisk(before, BelowPath, Math.Max(before.Length, next?.Length ?? 0));
        using var top = Qcow2Image.OpenOver(image, old, new Qcow2OpenOptions { Writable = true });
        ImageRebase.Rebase(top, old, next, reference, 1, null, default);
    }

    /// <summary>What an image shows over what its header names, or over a backing file of the caller's.</summary>
    internal byte[] Read(byte[] image, byte[]? below)
    {
        if (below is null)
        {
            return Read(image, ImagePath);
        }

        using var disk = Qcow2Image.OpenOver(
            new MemoryStorage([.. image], ImagePath), OpenBelow(new MemoryStorage([.. below], BelowPath), writable: false), new Qcow2OpenOptions());
        return DiskModel.ReadAll(disk);
    }

    internal byte[] ReadBelow(byte[] below)
    {
        using VirtualDisk disk = OpenBelow(new MemoryStorage([.. below], BelowPath), writable: false);
        return DiskModel.ReadAll(disk);
    }

    internal MemoryStorage ImageStorage() => new([.. Image], ImagePath) { ShareBlock = ShareBlock };

    internal MemoryStorage BelowStorage() => new([.. Below], BelowPath) { ShareBlock = ShareBlock };

    /// <summary>The disks of the snapshots of an image.</summary>
    internal Dictionary<string, byte[]> Snapshots(byte[] image, byte[]? below = null)
    {
        using Qcow2Image disk = below is null
            ? Qcow2Image.Open(new MemoryStorage([.. image], ImagePath))
            : Qcow2Image.OpenOver(new MemoryStorage([.. image], ImagePath), OpenBelow(new MemoryStorage([.. below], BelowPath), false), new Qcow2OpenOptions());
        return disk.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => DiskModel.ReadAll(disk.OpenSnapshot(snapshot)));
    }

    internal static void AssertSound(byte[] file, string label, bool mayLeak = true)
    {
        ImageAuditor audit = ImageAuditor.Audit(file);
        Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
        Assert.True(mayLeak || audit.Leaks == 0, $"{label}: {audit.Leaks} leaks.");
    }

    private VirtualDisk OpenBelow(MemoryStorage storage, bool writable)
        => IsBelowRaw ? RawDisk.Open(storage, writable) : Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = writable });

    private static byte[] Read(byte[] file, string path)
    {
        using var image = Qcow2Image.Open(new MemoryStorage([.. file], path));
        return DiskModel.ReadAll(image);
    }

    /// <summary>Like the old backing file in parts, and longer.</summary>
    private static byte[] MakeNext(TempFolder folder, byte[] like, Random random)
    {
        byte[] content = new byte[Math.Min(like.Length, 200_192) + 40_448];
        like.AsSpan(0, Math.Min(like.Length, content.Length)).CopyTo(content);
        random.NextBytes(content.AsSpan(20_000, 30_000));
        content.AsSpan(100_000, 10_000).Clear();
        random.NextBytes(content.AsSpan(content.Length - 20_000));
        using Qcow2Image image = Qcow2Image.Create(folder.File(NewBase), content.Length, new Qcow2CreateOptions { ClusterSize = 1024 });
        for (int i = 0; i < content.Length; i += 1024)
        {
            ReadOnlySpan<byte> cluster = content.AsSpan(i, Math.Min(1024, content.Length - i));
            if (cluster.ContainsAnyExcept((byte)0))
            {
                image.Write(i, cluster);
            }
        }

        return content;
    }

    private static byte[] MakeFile(string layout, int length, string? backing, TempFolder folder, Random random, bool isRaw)
    {
        if (isRaw)
        {
            byte[] raw = new byte[length];
            random.NextBytes(raw.AsSpan(10_000, 90_000));
            return raw;
        }

        string path = folder.File(backing is null ? "below.qcow2" : "image.qcow2");
        var reference = backing is null ? null : new BackingReference(backing, Path.GetExtension(backing)[1..]);
        MemoryStorage storage;
        if (layout.StartsWith("fixture:", StringComparison.Ordinal))
        {
            storage = new MemoryStorage(File.ReadAllBytes(Fixtures.Get(layout["fixture:".Length..]).Path), path);
            if (reference is not null)
            {
                BackingReferenceWriter.Write(storage, reference);
            }
        }
        else
        {
            bool isExtended = layout.EndsWith('x');
            storage = new MemoryStorage([], path);
            Qcow2Image.Create(storage, length, new Qcow2CreateOptions
            {
                Version = layout == "v2" ? 2 : 3,
                ClusterSize = layout == "v2" ? 4096 : int.Parse(layout.TrimEnd('x'), null),
                ExtendedL2 = isExtended,
                BackingFile = reference?.Name,
                BackingFormat = reference?.Format,
            }).Dispose();
        }

        using (Qcow2Image image = Qcow2Image.Open(storage, new Qcow2OpenOptions { Writable = true }))
        {
            var model = new DiskModel(new byte[image.Length], 4096, random.Next(), layout);
            for (int i = 0; i < 12; i++)
            {
                (int offset, byte[] data) = model.NextWrite();
                data = data.Length > 20_000 ? data[..20_000] : data;
                if (random.Next(4) == 0)
                {
                    image.WriteZeroes(offset, data.Length);
                }
                else
                {
                    image.Write(offset, data);
                }
            }
        }

        return storage.Content;
    }
}
