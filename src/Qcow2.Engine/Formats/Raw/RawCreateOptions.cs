using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Raw;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A raw file has no layout: it is the disk's bytes, with holes where they are zeros.</summary>
public sealed record RawCreateOptions : DiskCreateOptions
{
    private const int SectorSize = 512;

    /// <summary>The only ones there are.</summary>
    public static RawCreateOptions Default { get; } = new();

    /// <inheritdoc/>
    public override string FormatName => "raw";

    /// <inheritdoc/>
    public override long DiskSizeFor(long size) => size;

    /// <inheritdoc/>
    internal override NewDiskFile Begin(VirtualDisk source, string path, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
        => NewRawFile.Create(source, path, overwrite, options);

    /// <inheritdoc/>
    internal override void CreateFile(string path, long? size, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long length = size ?? throw new ArgumentException("A raw disk needs a size.", nameof(size));
        using var file = ReplacementFile.Create(path, overwrite);
        file.Storage.SetLength(length);
        file.Storage.Flush();
        file.Commit();
    }

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
