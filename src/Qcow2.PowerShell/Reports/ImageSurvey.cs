using Qcow2.Engine;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Reports;

/// <summary>Looks at one image for a report: its metadata, its chain, what lies where, and whether it is sound. No data is read and no passphrase is needed.</summary>
/// <param name="path">Full path of the image.</param>
/// <param name="format">What it is.</param>
/// <param name="options">How to open it.</param>
/// <param name="isChecked">Whether to check it.</param>
internal sealed class ImageSurvey(string path, DiskFormat format, Qcow2OpenOptions options, bool isChecked)
{
    private const int L2CacheSize = 1 << 20;

    private readonly List<Exception> _failures = [];

    /// <summary>What the image says of itself; null before that is known.</summary>
    internal Qcow2ImageInfo? Information { get; private set; }

    /// <summary>Full paths of the files that were looked at.</summary>
    internal IReadOnlyList<string> Paths { get; private set; } = [];

    /// <summary>What could not be done, though the report goes on without it.</summary>
    internal IReadOnlyList<Exception> Failures => _failures;

    /// <summary>Looks.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="Qcow2Exception">Nothing can be said of the image.</exception>
    /// <exception cref="IOException">The host could not open or read it.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal ReportImage Run(IProgress<WorkProgress> progress, CancellationToken stop)
    {
        (List<Qcow2ImageInfo> chain, BrokenLink? broken) = ReadChain(stop);
        Qcow2ImageInfo info = chain[0];
        Information = info;
        Paths = [.. chain.Select(file => file.Path)];
        (ReportCheck? check, long leaked) = isChecked ? CheckedImage.Run(info, format, options, progress, _failures.Add, stop) : (null, 0);
        (ReportMap? map, string? noMap) = broken is null ? Map(progress, stop) : (null, "What lies where cannot be said without the whole chain.");
        long? reclaimable = SpaceEstimate.Reclaimable(info, Used(info, stop), leaked);
        return ImageDescription.Of(info) with
        {
            Below = [.. chain.Skip(1).Select(file => ReportFile.Of(file))],
            Broken = broken,
            Map = map,
            NoMap = noMap,
            Reclaimable = reclaimable,
            Overgrown = SpaceEstimate.Overgrown(info, reclaimable),
            Check = check,
        };
    }

    /// <summary>Whether an exception is about a file, so that the report goes on.</summary>
    internal static bool IsOfFile(Exception exception) => exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;

    private (List<Qcow2ImageInfo> Chain, BrokenLink? Broken) ReadChain(CancellationToken stop)
    {
        var chain = new List<Qcow2ImageInfo>();
        try
        {
            foreach (Qcow2ImageInfo info in format.ReadChain(path, options))
            {
                stop.ThrowIfCancellationRequested();
                chain.Add(info);
            }

            return (chain, null);
        }
        catch (Exception e) when (chain.Count > 0 && IsOfFile(e))
        {
            bool isRefused = e is Qcow2Exception { Code: Qcow2ErrorCode.ReferenceForbidden };
            if (!isRefused)
            {
                _failures.Add(e);
            }

            return (chain, BrokenLink.Below(chain[chain.Count - 1], e.Message, isRefused));
        }
    }

    private (ReportMap? Map, string? Problem) Map(IProgress<WorkProgress> progress, CancellationToken stop)
    {
        try
        {
            using VirtualDisk disk = format.Open(path, options with { ForceShare = true, L2CacheSize = L2CacheSize }, stop);
            return disk.Length == 0 ? (null, "The disk is empty.") : (ReportMap.Of(AllocationMap.Read(disk, ReportMap.CellCount, progress, stop)), null);
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ReferenceForbidden)
        {
            return (null, "What lies where cannot be said without a file that was not to be opened.");
        }
        catch (Exception e) when (IsOfFile(e))
        {
            _failures.Add(e);
            return (null, "What lies where could not be read: " + ReportText.Reason(e, path));
        }
    }

    private long? Used(Qcow2ImageInfo info, CancellationToken stop)
    {
        try
        {
            return info.Format == "qcow2" ? Qcow2Checker.CountUsedBytes(path, forceShare: true, stop) : null;
        }
        catch (Exception e) when (IsOfFile(e))
        {
            return null; // What is wrong with the image is said elsewhere.
        }
    }
}
