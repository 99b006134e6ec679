using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>A disk that somebody else closes.</summary>
/// <param name="disk">The disk.</param>
internal sealed class BorrowedDisk(VirtualDisk disk) : VirtualDisk
{
    /// <inheritdoc/>
    public override string Path => disk.Path;

    /// <inheritdoc/>
    public override long Length => disk.Length;

    /// <inheritdoc/>
    public override int? LogicalSectorSize => disk.LogicalSectorSize;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => disk.Backing;

    /// <inheritdoc/>
    protected internal override void EnsureReadable() => disk.EnsureReadable();

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer) => disk.ReadCore(offset, buffer);

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => disk.EnumerateExtents(offset, length, depth);

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length) => disk.FindHostRun(offset, length);

    /// <inheritdoc/>
    internal override void WillRead(long offset, long length) => disk.WillRead(offset, length);

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => disk.ReadsFrom(file);
}
