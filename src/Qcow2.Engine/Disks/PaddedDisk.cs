using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// A disk, or none, that goes on with zeros. An image that is opened over it says what is zero even where its backing file
/// has ended, because the next backing file may not have.
/// </summary>
/// <param name="disk">The disk; null for nothing but zeros. It is closed with this one.</param>
/// <param name="path">What the zeros are said to lie in.</param>
/// <param name="length">Length with the zeros, in bytes; at least the disk's.</param>
internal sealed class PaddedDisk(VirtualDisk? disk, string path, long length) : VirtualDisk
{
    /// <inheritdoc/>
    public override string Path => disk?.Path ?? path;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => disk?.Backing;

    /// <inheritdoc/>
    protected internal override void EnsureReadable() => disk?.EnsureReadable();

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => disk?.ReadsFrom(file) ?? false;

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        int read = disk?.Read(offset, buffer) ?? 0;
        buffer.Slice(read).Clear();
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long inside = disk is null ? 0 : Math.Max(0, Math.Min(length, disk.Length - offset));
        if (inside > 0)
        {
            foreach (DiskExtent extent in disk!.EnumerateExtents(offset, inside, depth))
            {
                yield return extent;
            }
        }

        if (inside < length)
        {
            yield return new DiskExtent(offset + inside, length - inside, ExtentKind.Unallocated, depth, Path, null, IsCompressed: false);
        }
    }

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length)
        => disk is not null && disk.Length > offset ? disk.FindHostRun(offset, Math.Min(length, disk.Length - offset)) : null;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            disk?.Dispose();
        }

        base.Dispose(disposing);
    }
}
