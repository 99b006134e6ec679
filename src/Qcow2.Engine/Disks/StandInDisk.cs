using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// Stands where a chain goes on for images that are opened without what lies below them: it says how long that is, and that
/// all of it lies there. It is never read.
/// </summary>
internal sealed class StandInDisk(string path, long length) : VirtualDisk
{
    /// <inheritdoc/>
    public override string Path => path;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
        => throw new InvalidOperationException($"{path} was left out of the chain, and is not read through it.");

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => [new DiskExtent(offset, length, ExtentKind.Data, depth, path, null, IsCompressed: false)];

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => false;
}
