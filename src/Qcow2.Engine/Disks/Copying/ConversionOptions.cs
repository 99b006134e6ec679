namespace Qcow2.Engine.Conversion;

/// <summary>How to copy a disk.</summary>
public sealed record ConversionOptions
{
    private const int MaxSparseSize = 2 << 20;

    /// <summary>The defaults.</summary>
    public static ConversionOptions Default { get; } = new();

    /// <summary>
    /// Threads that read, decompress, compress and write, 1 or more; the number of processors, but at most eight, by default. What is
    /// written does not depend on it.
    /// </summary>
    public int ThrottleLimit { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>
    /// Blocks of this many zero bytes are not written: they become holes of a raw file, and clusters without a place in an image. A
    /// power of two from 512 bytes to 2 MiB; 4 KiB by default. 0 writes everything, holes of the source included.
    /// </summary>
    public int SparseSize { get; init; } = 4096;

    /// <summary>Whether the clusters of a QCOW2 image are compressed, where that makes them smaller. A streamOptimized VMDK always is.</summary>
    public bool Compress { get; init; }

    /// <summary>How hard the compressor tries: 1 to 9 for deflate, 1 to 22 for zstd; null for the format's usual level.</summary>
    public int? CompressionLevel { get; init; }

    /// <summary>Most bytes a second that are read and written, on the average; 0, the default, for as many as there can be.</summary>
    public long RateLimit { get; init; }

    /// <summary>
    /// Whether what cannot be read becomes zeros, and is listed in <see cref="ConversionResult.Unreadable"/>, in place of ending the
    /// work.
    /// </summary>
    public bool Salvage { get; init; }

    /// <summary>
    /// Whether the persistent bitmaps of the source, a QCOW2 image of version 3, are copied into a new image, with all that they record. The
    /// backing file's are not.
    /// </summary>
    public bool CopyBitmaps { get; init; }

    /// <summary>
    /// Whether bitmaps that were never saved, and say nothing any more, are left out and listed in
    /// <see cref="ConversionResult.SkippedBitmaps"/>. By default they are an error. Only with <see cref="CopyBitmaps"/>.
    /// </summary>
    public bool SkipBrokenBitmaps { get; init; }

    /// <summary>
    /// The only parts of the disk that are copied, in order and apart from each other; null for all of it. Into a new QCOW2 image only: elsewhere it shows
    /// its backing file, or has no clusters. What is zeros in these parts hides the backing file. Whole clusters are copied around each part.
    /// </summary>
    public IReadOnlyList<DiskRange>? OnlyWithin { get; init; }

    /// <summary>
    /// Whether the copy shares what it can with the files of the source, where the file system is able to (XFS, Btrfs, bcachefs, ReFS), in place of
    /// reading and writing it. What is shared is not looked at: zeros in it that are no hole take their place in the copy, too, which is the same space as
    /// before. With a <see cref="SparseSize"/> of 0 or <see cref="Salvage"/>, and where space is to be reserved, nothing is shared. True by default.
    /// </summary>
    public bool ShareExtents { get; init; } = true;

    /// <summary>
    /// How many bytes of the disk a source is told of before they are read, so that files from which reading takes long (<see cref="Http.HttpFile"/>) begin with them in the order of the
    /// disk. 0, the default, is right for files of the host, which looks ahead itself.
    /// </summary>
    public long ReadAheadSize { get; init; }

    /// <summary>Whether anything is to be shared.</summary>
    internal bool SharesExtents => ShareExtents && SparseSize > 0 && !Salvage;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One of them makes no sense.</exception>
    internal void Check()
    {
        if (ThrottleLimit < 1)
        {
            throw new ArgumentException($"{ThrottleLimit} threads cannot do anything; give 1 or more.", nameof(ThrottleLimit));
        }

        bool isPower = (SparseSize & (SparseSize - 1)) == 0;
        if (SparseSize != 0 && (!isPower || SparseSize is < 512 or > MaxSparseSize))
        {
            throw new ArgumentException($"Blocks of zeros have 512 bytes to 2 MiB, in a power of two, not {SparseSize} bytes; 0 writes everything.", nameof(SparseSize));
        }

        if (RateLimit < 0)
        {
            throw new ArgumentException($"A rate of {RateLimit} bytes a second is not possible; 0 stands for no limit.", nameof(RateLimit));
        }

        if (SkipBrokenBitmaps && !CopyBitmaps)
        {
            throw new ArgumentException("Broken bitmaps are to be left out, but no bitmaps are to be copied.", nameof(SkipBrokenBitmaps));
        }

        if (OnlyWithin is not null && !IsInOrder(OnlyWithin))
        {
            throw new ArgumentException("The parts of a disk to copy are given in order, and do not overlap.", nameof(OnlyWithin));
        }

        if (CompressionLevel is not null && !Compress)
        {
            throw new ArgumentException("There is a compression level, but nothing is to be compressed.", nameof(CompressionLevel));
        }
    }

    /// <summary>Refuses what only an image with tables can have.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="what">What is written, as a sentence begins.</param>
    /// <param name="canCompress">Whether it can be compressed.</param>
    /// <exception cref="ArgumentException">It is asked for.</exception>
    internal static void RequirePlain(ConversionOptions options, string what, bool canCompress = false)
    {
        if (options.CopyBitmaps)
        {
            throw new ArgumentException($"{what} has no bitmaps; they are copied into a new QCOW2 image.", nameof(options));
        }

        if (options.OnlyWithin is not null)
        {
            throw new ArgumentException($"{what} holds a whole disk; parts of one go into a new QCOW2 image.", nameof(options));
        }

        if (options.Compress && !canCompress)
        {
            throw new ArgumentException($"{what} cannot be compressed; write a QCOW2 image.", nameof(options));
        }
    }

    private static bool IsInOrder(IReadOnlyList<DiskRange> ranges)
    {
        long end = 0;
        foreach (DiskRange range in ranges)
        {
            if (range.Offset < end || range.Length <= 0 || range.Offset > long.MaxValue - range.Length)
            {
                return false;
            }

            end = range.End;
        }

        return true;
    }
}
