namespace Qcow2.Engine.Storage;

/// <summary>A file for reading that somebody else closes.</summary>
internal sealed class BorrowedStorage(BlockStorage storage) : BlockStorage
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
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => throw new NotSupportedException("The file is open for reading only.");

    /// <inheritdoc/>
    public override void SetLength(long length) => throw new NotSupportedException("The file is open for reading only.");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => storage.RunAt(offset);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
