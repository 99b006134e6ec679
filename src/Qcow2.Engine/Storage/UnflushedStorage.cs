namespace Qcow2.Engine.Storage;

/// <summary>
/// Storage whose barriers do nothing, for a file that nobody trusts before it is complete: its owner flushes it once, at the end. It
/// borrows the storage and leaves it open.
/// </summary>
internal sealed class UnflushedStorage(BlockStorage storage) : BlockStorage
{
    /// <inheritdoc/>
    public override string Path => storage.Path;

    /// <inheritdoc/>
    public override long Length => storage.Length;

    /// <inheritdoc/>
    public override long AllocatedLength => storage.AllocatedLength;

    /// <inheritdoc/>
    public override bool HasFixedLength => storage.HasFixedLength;

    /// <inheritdoc/>
    public override FileIdentity Identity => storage.Identity;

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer) => storage.Read(offset, buffer);

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => storage.Write(offset, buffer);

    /// <inheritdoc/>
    public override void SetLength(long length) => storage.SetLength(length);

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override bool TryAllocate(long offset, long length) => storage.TryAllocate(offset, length);

    /// <inheritdoc/>
    public override bool TryPunchHole(long offset, long length) => storage.TryPunchHole(offset, length);

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => storage.RunAt(offset);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
