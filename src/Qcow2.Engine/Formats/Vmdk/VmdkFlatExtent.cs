using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>An extent whose bytes are the file's bytes.</summary>
internal sealed class VmdkFlatExtent : VmdkExtent
{
    private readonly BlockStorage _file;
    private readonly long _start;

    /// <exception cref="Qcow2Exception">The file is shorter than the descriptor says: what is missing is not zeros, but lost.</exception>
    internal VmdkFlatExtent(BlockStorage file, VmdkExtentLine line)
    {
        _file = file;
        _start = line.Offset * VmdkLimits.SectorSize;
        Length = line.Sectors * VmdkLimits.SectorSize;
        if (_start > file.Length - Length)
        {
            throw Qcow2Errors.Corrupt(
                $"'{file.Path}' has {file.Length} bytes, and the VMDK descriptor takes {Length} bytes from {_start} on from it: the file was cut off, or is another one.");
        }
    }

    /// <inheritdoc/>
    internal override long Length { get; }

    /// <inheritdoc/>
    internal override BlockStorage File => _file;

    /// <inheritdoc/>
    internal override bool HasPlaceForAll => true;

    /// <inheritdoc/>
    internal override VmdkStretch Find(long offset, long length)
    {
        StorageRun run = _file.RunAt(_start + offset);
        long end = Math.Min(length, Math.Max(1, run.End - _start - offset));
        return new VmdkStretch(run.IsData ? VmdkStretchKind.Data : VmdkStretchKind.Zero, end, _start + offset);
    }

    /// <inheritdoc/>
    internal override void Read(VmdkStretch stretch, long offset, Span<byte> buffer) => _file.ReadZeroPadded(stretch.FileOffset, buffer);

    /// <inheritdoc/>
    internal override long DamageEnd(long offset) => (offset | (VmdkLimits.SectorSize - 1)) + 1;
}
