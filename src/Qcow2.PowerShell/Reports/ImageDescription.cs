using Qcow2.Engine;
using Qcow2.Engine.Format;

namespace Qcow2.PowerShell.Reports;

/// <summary>Makes of what an image says of itself what a report shows of it.</summary>
internal static class ImageDescription
{
    /// <summary>Most snapshots of one image that are shown. An image can have tens of thousands.</summary>
    internal const int MostSnapshots = 100;

    private const int MostProblems = 10;
    private const int MostBitmaps = 8;

    /// <summary>Describes an image by its metadata alone.</summary>
    /// <param name="info">What it says of itself.</param>
    /// <param name="computer">The computer that it lies on; null for this one.</param>
    internal static ReportImage Of(Qcow2ImageInfo info, string? computer = null)
    {
        Qcow2Snapshot[] snapshots = [.. (info.Snapshots ?? []).Where(snapshot => snapshot is not null)];
        return new ReportImage(ReportFile.Of(info, computer))
        {
            FileSize = Math.Max(0, info.FileSize),
            Facts = [.. FactsOf(info)],
            Lock = info.LockState,
            IsDirty = info.IsDirty,
            IsCorrupt = info.IsCorrupt,
            IsEncrypted = info.EncryptionMethod != EncryptionMethod.None,
            Problems = [.. (info.Problems ?? []).Take(MostProblems).Select(problem => ReportText.Reason(problem, info.Path))],
            Snapshots = [.. snapshots.Skip(Math.Max(0, snapshots.Length - MostSnapshots)).Select(SnapshotOf)],
            SnapshotCount = snapshots.Length,
        };
    }

    private static ReportSnapshot SnapshotOf(Qcow2Snapshot snapshot) => new(
        ReportText.Of(snapshot.Id, 40),
        ReportText.Of(snapshot.Name),
        ReportText.TimeOf(snapshot.CreationTime),
        Math.Max(0, snapshot.DiskSize),
        Math.Max(0, snapshot.VmStateSize),
        snapshot.Problem is null ? null : ReportText.Of(snapshot.Problem, 500));

    private static IEnumerable<(string Name, string Value)> FactsOf(Qcow2ImageInfo info)
    {
        yield return ("Format", FormatOf(info));
        if (!string.IsNullOrEmpty(info.PackedIn))
        {
            yield return ("Packed in", ReportText.Of(info.PackedIn, 20));
        }

        yield return ("Virtual size", ReportText.SizeAndBytes(Math.Max(0, info.Size)));
        yield return ("On disk", ReportText.SizeAndBytes(Math.Max(0, info.AllocatedSize)));
        yield return ("File length", ReportText.SizeAndBytes(Math.Max(0, info.FileSize)));
        if (info.ClusterSize is > 0 and int cluster)
        {
            yield return (info.Format == "qcow2" ? "Cluster" : "Block", ReportText.Size(cluster) + (info.IsExtendedL2 ? ", with subclusters" : ""));
        }

        if (info.Format == "qcow2" && info.CompressionType is CompressionType compression)
        {
            yield return ("Compression", compression == CompressionType.Zstd ? "zstd" : "deflate");
        }

        if (info.EncryptionMethod != EncryptionMethod.None)
        {
            yield return ("Encryption", EncryptionOf(info));
        }

        if (!string.IsNullOrEmpty(info.BackingFile))
        {
            yield return ("Backing file", ReportText.Of(info.BackingFile) + (string.IsNullOrEmpty(info.BackingFormat) ? "" : $" ({ReportText.Of(info.BackingFormat, 20)})"));
        }

        if (!string.IsNullOrEmpty(info.DataFile))
        {
            yield return ("Data file", ReportText.Of(info.DataFile) + (info.IsDataFileRaw ? " (raw)" : ""));
        }

        if (info.Bitmaps is { Length: > 0 } bitmaps)
        {
            yield return ("Bitmaps", string.Join(", ", bitmaps.Take(MostBitmaps).Select(bitmap => ReportText.Of(bitmap?.Name, 60)))
                + (bitmaps.Length > MostBitmaps ? $" and {ReportText.Number(bitmaps.Length - MostBitmaps)} more" : ""));
        }
    }

    private static string FormatOf(Qcow2ImageInfo info)
    {
        string version = info.Version is int number ? $", version {number}" : "";
        string subformat = string.IsNullOrEmpty(info.Subformat) ? "" : $", {ReportText.Of(info.Subformat, 40)}";
        return ReportText.Of(info.Format, 20) + version + subformat + (info.HasLazyRefcounts ? ", lazy refcounts" : "");
    }

    private static string EncryptionOf(Qcow2ImageInfo info) => info.EncryptionMethod switch
    {
        EncryptionMethod.Luks when info.Luks is LuksInfo luks => "LUKS: " + ReportText.Of(DisplayText.Luks(luks)),
        EncryptionMethod.Luks => "LUKS",
        _ => "AES, the legacy method, which is not safe any more",
    };
}
