using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;

namespace Qcow2.Engine;

/// <summary>How to lay out a new file: each format has options of its own, which say what the file becomes.</summary>
/// <seealso cref="DiskConverter.Convert"/>
public abstract record DiskCreateOptions
{
    private protected DiskCreateOptions()
    {
    }

    /// <summary>The name of the format that they make: <c>qcow2</c>, for one.</summary>
    public abstract string FormatName { get; }

    /// <summary>The size that the disk gets where this one is asked for: as a rule the next whole number of sectors.</summary>
    /// <param name="size">Bytes, 0 or more.</param>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the format allows.</exception>
    public virtual long DiskSizeFor(long size) => DiskSize.RoundUp(size);

    /// <summary>Whether what is written is compressed, whatever is asked for: so a level can be given by itself.</summary>
    internal virtual bool IsCompressed => false;

    /// <summary>
    /// Makes a file with an empty disk. It is written under another name and moved into place when it is complete, so a failure leaves what was there before.
    /// </summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="size">Size of the disk, in bytes (<see cref="DiskSizeFor"/>); null to take it from what the disk is layered on, where it can be.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="progress">Told of the bytes that have been allocated in advance, if any are; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="ArgumentException">The options contradict each other or the format, or there is no size.</exception>
    /// <exception cref="Qcow2Exception">The file exists and may not be replaced, or the disk is larger than the format allows.</exception>
    /// <exception cref="IOException">The host could not write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public void Create(
        string path, long? size = null, bool overwrite = false, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => CreateFile(path, size, overwrite, progress, cancellationToken);

    /// <summary>Begins a file that a disk is copied into. The source is not read from any of the files that are made.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="path">Full path of the file.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="options">How to copy; checked.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal abstract NewDiskFile Begin(VirtualDisk source, string path, bool overwrite, ConversionOptions options, CancellationToken cancellationToken);

    /// <summary>Does what <see cref="Create"/> says.</summary>
    internal abstract void CreateFile(string path, long? size, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken);

    /// <summary>Says how much space the file would take.</summary>
    /// <param name="size">Size of the disk, in bytes.</param>
    /// <param name="source">The disk that would be copied; null for an empty one.</param>
    /// <param name="bitmapSource">The disk whose bitmaps count; null to take the source's.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal abstract Qcow2MeasureResult Measure(long size, VirtualDisk? source, VirtualDisk? bitmapSource, CancellationToken cancellationToken);
}
