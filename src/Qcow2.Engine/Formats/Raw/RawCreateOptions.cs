using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Raw;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A raw file has no layout: it is the disk's bytes, with holes where they are zeros, unless it is to have its space from the start.</summary>
public sealed record RawCreateOptions : DiskCreateOptions
{
    private const int SectorSize = 512;

    /// <summary>The defaults: holes where the disk is zeros.</summary>
    public static RawCreateOptions Default { get; } = new();

    /// <summary>
    /// Whether the host reserves the space of the whole disk (<see cref="Preallocation.Falloc"/>) or zeros are written to all of it (<see cref="Preallocation.Full"/>). There
    /// are no tables: <see cref="Preallocation.Metadata"/> is refused.
    /// </summary>
    public Preallocation Preallocation { get; init; }

    /// <inheritdoc/>
    public override string FormatName => "raw";

    /// <inheritdoc/>
    public override long DiskSizeFor(long size) => size;

    /// <inheritdoc/>
    internal override NewDiskFile Begin(VirtualDisk source, string path, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
        => NewRawFile.Create(source, path, Checked(), overwrite, options, cancellationToken);

    /// <inheritdoc/>
    internal override void CreateFile(string path, long? size, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long length = size ?? throw new ArgumentException("A raw disk needs a size.", nameof(size));
        Checked();
        using var file = ReplacementFile.Create(path, overwrite);
        new RawResize(new UnflushedStorage(file.Storage)).To(length, Preallocation, progress, cancellationToken);
        file.Storage.Flush();
        file.Commit();
    }

    private Preallocation Checked() => Preallocation != Preallocation.Metadata
        ? Preallocation
        : throw new ArgumentException("A raw disk has no tables that could be preallocated; its space can be reserved or written.", nameof(Preallocation));

    /// <inheritdoc/>
    /// <remarks>Holes are not deducted, as QEMU does not.</remarks>
    internal override Qcow2MeasureResult Measure(long size, VirtualDisk? source, VirtualDisk? bitmapSource, CancellationToken cancellationToken)
    {
        if (size < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is 0 bytes or more.");
        }

        if (size > long.MaxValue - SectorSize)
        {
            throw Qcow2Errors.Limit("The size of the disk", (ulong)size, long.MaxValue - SectorSize, "bytes");
        }

        long bytes = (size + SectorSize - 1) & -SectorSize;
        return new Qcow2MeasureResult { Path = source?.Path ?? "", Size = size, DestinationFormat = FormatName, RequiredBytes = bytes, FullyAllocatedBytes = bytes };
    }
}
