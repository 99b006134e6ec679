using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Information;

/// <summary>Fills <see cref="Qcow2ImageInfo"/> from a file's header, snapshot table and bitmap directory.</summary>
internal static class Qcow2InfoReader
{
    internal static Qcow2ImageInfo Describe(BlockStorage file)
    {
        Qcow2Header header = HeaderCluster.Load(file);
        header.EnsureSupported();
        return FromHeader(header, file);
    }

    private static Qcow2ImageInfo FromHeader(Qcow2Header header, BlockStorage file)
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

        return Describe(header, file, snapshots.Entries, bitmaps, luks, [.. problems]);
    }

    private static LuksInfo? ReadLuks(BlockStorage file, Qcow2Header header, out string? problem)
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
        Qcow2Header header, BlockStorage file, IReadOnlyList<SnapshotTableEntry> snapshots, IReadOnlyList<BitmapDirectoryEntry> bitmaps,
        LuksInfo? luks, string[] problems) => new()
    {
        Version = header.Version,
        Size = header.Size,
        ClusterSize = header.ClusterSize,
        BackingFile = header.BackingFile,
        ParentPath = header.BackingFile is string name ? ImageReference.TryResolve(name, file) : null,
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
}
