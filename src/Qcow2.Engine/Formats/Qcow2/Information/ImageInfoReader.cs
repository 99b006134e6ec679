using System.Runtime.ExceptionServices;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Information;

/// <summary>Fills <see cref="Qcow2ImageInfo"/> from a file's header, snapshot table and bitmap directory.</summary>
internal static class ImageInfoReader
{
    internal static Qcow2ImageInfo Read(string path)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return ReadQcow2(file, 0);
    }

    internal static Qcow2ImageInfo ReadRaw(string path)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return ReadRaw(file, 0);
    }

    internal static IEnumerable<Qcow2ImageInfo> ReadChain(string path, Qcow2OpenOptions options)
    {
        Qcow2ImageInfo info;
        ChainContext chain;
        using (LocalFile file = LocalFile.OpenRead(path))
        {
            info = ReadQcow2(file, 0);
            chain = ChainContext.Begin(file, options);
        }

        while (info.BackingFile is not null)
        {
            // What is wrong below an image is said on it, so it waits until that is known.
            (Qcow2ImageInfo? parent, ExceptionDispatchInfo? problem) = TryReadParent(info, ref chain);
            info.BackingFileProblem = problem?.SourceException.Message;
            yield return info;
            problem?.Throw();
            info = parent!;
        }

        yield return info;
    }

    private static (Qcow2ImageInfo? Parent, ExceptionDispatchInfo? Problem) TryReadParent(Qcow2ImageInfo child, ref ChainContext chain)
    {
        try
        {
            (Qcow2ImageInfo parent, chain) = ReadParent(child, chain);
            return (parent, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, ExceptionDispatchInfo.Capture(e));
        }
    }

    private static (Qcow2ImageInfo Info, ChainContext Chain) ReadParent(Qcow2ImageInfo child, ChainContext chain)
    {
        (LocalFile file, BackingFormat format) = BackingFile.OpenForInformation(child.Header!, child.Path, chain.Options);
        using (file)
        {
            ChainContext below = chain.Enter(file, child.Path);
            int depth = child.Depth + 1;
            return (format == BackingFormat.Raw ? ReadRaw(file, depth) : ReadQcow2(file, depth), below);
        }
    }

    private static Qcow2ImageInfo ReadRaw(LocalFile file, int depth) => WithFile(
        new Qcow2ImageInfo { Format = "raw", Size = file.Length, Depth = depth }, file);

    private static Qcow2ImageInfo ReadQcow2(LocalFile file, int depth)
    {
        try
        {
            Qcow2Header header = HeaderCluster.Load(file);
            header.EnsureSupported();
            return WithFile(FromHeader(header, file, depth), file);
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    private static Qcow2ImageInfo FromHeader(Qcow2Header header, LocalFile file, int depth)
    {
        var problems = new List<string>(header.ExtensionProblems);
        SnapshotTable snapshots = SnapshotTable.Load(file, header);
        problems.AddRange(snapshots.ProblemsWith(snapshots.Entries));
        IReadOnlyList<BitmapDirectoryEntry> bitmaps = BitmapDirectory.List(file, header, out string? bitmapsProblem);
        problems.AddRange(bitmaps.Where(bitmap => bitmap.Problem is not null).Select(bitmap => bitmap.Problem!));
        LuksInfo? luks = ReadLuks(file, header, out string? luksProblem);
        foreach (string? problem in (string?[])[bitmapsProblem, luksProblem])
        {
            if (problem is not null && !problems.Contains(problem))
            {
                problems.Add(problem);
            }
        }

        return Describe(header, file, depth, snapshots.Entries, bitmaps, luks, [.. problems]);
    }

    private static LuksInfo? ReadLuks(LocalFile file, Qcow2Header header, out string? problem)
    {
        problem = null;
        try
        {
            return ImageEncryption.ReadLuksHeader(file, header)?.ToInfo();
        }
        catch (IOException e)
        {
            problem = e.Message;
            return null;
        }
    }

    private static Qcow2ImageInfo Describe(
        Qcow2Header header, LocalFile file, int depth, IReadOnlyList<SnapshotTableEntry> snapshots, IReadOnlyList<BitmapDirectoryEntry> bitmaps,
        LuksInfo? luks, string[] problems) => new()
    {
        Depth = depth,
        Version = header.Version,
        Size = header.Size,
        ClusterSize = header.ClusterSize,
        BackingFile = header.BackingFile,
        ParentPath = header.BackingFile is string name ? ImageReference.TryResolve(name, file.Path) : null,
        BackingFormat = header.Extension<BackingFormatExtension>()?.Format,
        DataFile = header.Has(IncompatibleFeatures.ExternalDataFile) ? header.Extension<DataFileNameExtension>()?.FileName : null,
        IsDataFileRaw = header.Has(AutoclearFeatures.RawExternalData),
        CompressionType = header.CompressionType,
        EncryptionMethod = header.EncryptionMethod,
        Luks = luks,
        RefcountBits = header.RefcountOrder.Bits,
        HasLazyRefcounts = header.Has(CompatibleFeatures.LazyRefcounts),
        IsDirty = header.Has(IncompatibleFeatures.Dirty),
        IsCorrupt = header.Has(IncompatibleFeatures.Corrupt),
        IsExtendedL2 = header.Has(IncompatibleFeatures.ExtendedL2),
        Snapshots = [.. snapshots.Select(entry => Qcow2Snapshot.From(entry, header, file.Path))],
        Bitmaps = [.. bitmaps.Select(entry => Qcow2Bitmap.From(entry, file.Path))],
        Problems = problems,
        Header = header,
    };

    private static Qcow2ImageInfo WithFile(Qcow2ImageInfo info, LocalFile file)
    {
        info.Path = file.Path;
        info.FileSize = file.Length;
        info.AllocatedSize = file.AllocatedLength;
        info.LockState = ImageLock.Probe(file);
        info.IsLocked = info.LockState != ImageLockState.Unlocked;
        return info;
    }
}
