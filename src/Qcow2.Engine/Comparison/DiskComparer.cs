using System.Runtime.ExceptionServices;
using Qcow2.Engine.Comparison;
using Qcow2.Engine.Work;

namespace Qcow2.Engine;

/// <summary>
/// Compares two disks, several threads at once. What reads as zeros in both is not read, nor is what both have in the same place of the same
/// file.
/// </summary>
/// <example>
/// <code>
/// using var before = Qcow2Image.Open("before.qcow2");
/// using var after = RawDisk.Open("after.raw");
/// Qcow2CompareResult result = DiskComparer.Compare(before, after);
/// Console.WriteLine(result.AreEqual);
/// </code>
/// </example>
public static class DiskComparer
{
    /// <summary>Large enough that what many small clusters are looked up by is read once, small enough to share the work evenly.</summary>
    private const long MinPartLength = 8L << 20;

    /// <summary>Parts that are enough to share the work; up to <see cref="LongPartLength"/>, parts get longer rather than more.</summary>
    private const int EnoughParts = 128;

    /// <summary>
    /// Data can lie close together, so that longer parts would leave it to one thread. Shorter ones cost time, because some file systems
    /// look for the next hole page by page, from the start of every part anew.
    /// </summary>
    private const long LongPartLength = 32L << 20;

    private const int MaxParts = 8192;

    /// <summary>Compares two disks. Where one ends, it is compared as if zeros followed.</summary>
    /// <param name="disk">One disk.</param>
    /// <param name="difference">The other one.</param>
    /// <param name="options">How; null for <see cref="DiskCompareOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the comparison within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">An image is damaged or needs a passphrase.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static Qcow2CompareResult Compare(
        VirtualDisk disk,
        VirtualDisk difference,
        DiskCompareOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= DiskCompareOptions.Default;
        disk.EnsureReadable();
        difference.EnsureReadable();
        var result = new Qcow2CompareResult
        {
            Path = disk.Path,
            DifferencePath = difference.Path,
            Size = disk.Length,
            DifferenceSize = difference.Length,
            IsSizeDifferent = disk.Length != difference.Length,
            IsStrict = options.IsStrict,
        };

        if (!(options.IsStrict && options.StopAtFirst && result.IsSizeDifferent))
        {
            CompareContent(disk, difference, options, result, progress, cancellationToken);
        }

        return result;
    }

    private static void CompareContent(
        VirtualDisk disk, VirtualDisk difference, DiskCompareOptions options, Qcow2CompareResult result, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        long length = Math.Max(disk.Length, difference.Length);
        var one = (disk, new DiskLayers(disk));
        var other = (difference, new DiskLayers(difference));
        var log = new ComparisonLog(options);
        using var work = new WorkQueue<(int Index, DiskRange Range)>(PartsOf(length), length, progress, cancellationToken);
        ParallelWorkers.Run(options.ThrottleLimit, CompareParts, work.Stop);

        PartResult found = log.Complete();
        result.FirstDifference = found.FirstDifference;
        result.FirstAllocationDifference = found.FirstAllocationDifference;
        result.AreEqual = !found.IsDifferent && !(options.IsStrict && result.IsSizeDifferent);
        if (!log.IsStopped)
        {
            result.DifferingBytes = found.Ranges.Bytes;
            result.RangeCount = found.Ranges.Count;
            result.Ranges = [.. found.Ranges.Listed.Take(options.MaxRanges)];
        }

        void CompareParts()
        {
            using var comparer = new PartComparer(one, other, options, work.Complete, cancellationToken);
            while (work.TryTake(out (int Index, DiskRange Range) part))
            {
                if (!log.Add(part.Index, Compare(comparer, part.Range, () => log.IsWanted(part.Index))))
                {
                    work.Stop();
                }
            }
        }
    }

    /// <summary>An error belongs to the part that it is in: where several threads meet one, the first on the disk is told.</summary>
    private static PartResult Compare(PartComparer comparer, DiskRange part, Func<bool> isWanted)
    {
        try
        {
            return comparer.Compare(part, isWanted);
        }
#pragma warning disable CA1031 // Rethrown by ComparisonLog, whatever it is.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            return new PartResult(1) { Failure = ExceptionDispatchInfo.Capture(e) };
        }
    }

    private static IEnumerable<(int Index, DiskRange Range)> PartsOf(long length)
    {
        long partLength = MinPartLength;
        while (partLength < Math.Max(length / MaxParts, Math.Min(length / EnoughParts, LongPartLength)))
        {
            partLength *= 2;
        }

        int index = 0;
        for (long offset = 0; offset < length; offset += Math.Min(partLength, length - offset))
        {
            yield return (index++, new DiskRange(offset, Math.Min(partLength, length - offset)));
        }
    }
}
