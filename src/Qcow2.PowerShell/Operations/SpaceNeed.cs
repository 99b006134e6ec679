using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Operations;

/// <summary>How much space what is about to be written may take, as <c>Measure-Qcow2Image</c> says it.</summary>
/// <param name="Path">Full path of the file that takes it.</param>
/// <param name="Most">Bytes that it cannot exceed, which cost nothing to know.</param>
/// <param name="Measure">Finds out what it takes, and takes its time; null if it takes the most.</param>
internal sealed record SpaceNeed(string Path, long Most, Func<CancellationToken, long>? Measure = null)
{
    private const long FixedTables = 1 << 20;
    private const long MostBlockTables = 8 << 20;

    /// <summary>Refuses what a file system cannot hold in one file.</summary>
    /// <param name="limit">The longest file that it holds; null if there is none.</param>
    /// <param name="run">Runs what takes its time; it is not begun where nothing can be too long.</param>
    /// <exception cref="IOException">The file would be too long.</exception>
    internal void EnsureWithin(long? limit, Action<Action<CancellationToken>> run)
    {
        if (limit is not long known || Most <= known)
        {
            return;
        }

        long bytes = Most;
        if (Measure is not null)
        {
            run(token => bytes = Measure(token));
        }

        FileSizeLimit.Ensure(Path, bytes, known);
    }

    /// <summary>What a conversion takes.</summary>
    /// <param name="sources">What is read.</param>
    /// <param name="destination">What is written.</param>
    /// <param name="size">Size of the disks together, in bytes.</param>
    /// <param name="writesHoles">Whether zeros are written, too.</param>
    /// <returns>Null if that cannot be said: of an existing disk, and of an overlay, for nobody knows how much differs.</returns>
    internal static SpaceNeed? Of(IReadOnlyList<DiskSource> sources, ConversionDestination destination, long size, bool writesHoles)
    {
        switch (destination)
        {
            case NewDisk { Layout: RawCreateOptions plain } raw:
                return new SpaceNeed(raw.Path, size, writesHoles || plain.Preallocation != Preallocation.Off ? null : token => sources.Sum(source => DataBytes(source, 0, long.MaxValue, token)));
            case NewDisk { Layout: Qcow2CreateOptions { BackingFile: null } layout } image when layout.DataFile is not null:
                bool isWhole = layout.Preallocation is Preallocation.Falloc or Preallocation.Full;
                return ImageCreation.Beside(image.Path, layout.DataFile) is not string data ? null
                    : new SpaceNeed(data, size, isWhole || writesHoles ? null : token => sources.Sum(source => DataBytes(source, 0, long.MaxValue, token)));
            case NewDisk { Layout: BlockCreateOptions layout } image when !IsWindows:
                // Blocks of which only a part is data, and those of a fixed disk that are zeros, are holes.
                long whole = ImageMeasure.Of(size, layout).FullyAllocatedBytes;
                return new SpaceNeed(
                    image.Path, whole, writesHoles ? null : token => sources.Sum(source => DataBytes(source, 0, long.MaxValue, token)) + Math.Min(whole - size, MostBlockTables));
            case NewDisk { Layout: not Qcow2CreateOptions { BackingFile: not null } } image:
                long most = ImageMeasure.Of(size, image.Layout).FullyAllocatedBytes;
                return new SpaceNeed(image.Path, most, writesHoles ? null : token => sources.Sum(source => RequiredBytes(source, image.Layout, token)));
            default:
                return null;
        }
    }

    /// <summary>What a new image takes at once.</summary>
    internal static SpaceNeed? Of(string path, long? size, DiskCreateOptions layout)
    {
        if (size is long bytes && layout is BlockCreateOptions && IsWindows)
        {
            return new SpaceNeed(path, ImageMeasure.Of(bytes, layout).RequiredBytes); // Of a fixed one all: it has no holes there.
        }

        if (layout is RawCreateOptions { Preallocation: not Preallocation.Off } && size is long whole)
        {
            return new SpaceNeed(path, whole);
        }

        if (layout is not Qcow2CreateOptions options || size is not long known || options.Preallocation is not (Preallocation.Falloc or Preallocation.Full))
        {
            return null;
        }

        return options.DataFile is null ? new SpaceNeed(path, ImageMeasure.ForSize(known, options).RequiredBytes)
            : ImageCreation.Beside(path, options.DataFile) is string data ? new SpaceNeed(data, known)
            : null;
    }

    private static bool IsWindows => System.IO.Path.DirectorySeparatorChar == '\\';

    /// <summary>Bytes of data in a range of a disk.</summary>
    internal static long DataBytes(DiskSource source, long offset, long length, CancellationToken cancellationToken)
    {
        using OpenedDisk opened = source.Open(cancellationToken);
        long start = Math.Min(offset, opened.Disk.Length);
        return opened.Disk.GetExtents(start, Math.Min(length, opened.Disk.Length - start), cancellationToken)
            .Where(extent => extent.Kind == ExtentKind.Data).Sum(extent => extent.Length);
    }

    /// <summary>What a disk takes as an image. Measuring counts all tables that the disk can come to have; a few clusters of data need few.</summary>
    internal static long RequiredBytes(DiskSource source, DiskCreateOptions layout, CancellationToken cancellationToken)
    {
        using OpenedDisk opened = source.Open(cancellationToken);
        Qcow2MeasureResult result = ImageMeasure.Of(opened.Disk, layout, opened.Image, cancellationToken);
        long tables = result.FullyAllocatedBytes - result.Size;
        long data = Math.Max(0, result.RequiredBytes - tables);
        return data + Math.Min(tables, data + FixedTables);
    }
}
