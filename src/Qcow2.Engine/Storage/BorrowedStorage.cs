namespace Qcow2.Engine.Storage;

/// <summary>A file that somebody else closes: for reading, unless its owner lets it be written.</summary>
internal class BorrowedStorage(BlockStorage storage, bool isWritable = false) : BlockStorage
{
    private BlockStorage Writable => isWritable ? storage : throw new NotSupportedException("The file is open for reading only.");

    /// <inheritdoc/>
    public override string Path => storage.Path;

    /// <inheritdoc/>
    public override long Length => storage.Length;

    /// <inheritdoc/>
    public override long AllocatedLength => storage.AllocatedLength;

    /// <inheritdoc/>
    public override bool HasFixedLength => storage.HasFixedLength;

    /// <inheritdoc/>
    public override bool HasLocalPath => storage.HasLocalPath;

    /// <inheritdoc/>
    public override FileIdentity Identity => storage.Identity;

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer) => storage.Read(offset, buffer);

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => Writable.Write(offset, buffer);

    /// <inheritdoc/>
    public override void SetLength(long length) => Writable.SetLength(length);

    /// <inheritdoc/>
    public override void Flush()
    {
        if (isWritable)
        {
            storage.Flush();
        }
    }

    /// <inheritdoc/>
    public override bool TryAllocate(long offset, long length) => isWritable && storage.TryAllocate(offset, length);

    /// <inheritdoc/>
    public override bool TryPunchHole(long offset, long length) => isWritable && storage.TryPunchHole(offset, length);

    /// <inheritdoc/>
    public override int ShareUnit(BlockStorage source, out string? refusal)
        => isWritable ? storage.ShareUnit(source, out refusal) : base.ShareUnit(source, out refusal);

    /// <inheritdoc/>
    public override bool TryShare(BlockStorage source, long sourceOffset, long offset, long length, out string? refusal)
        => isWritable ? storage.TryShare(source, sourceOffset, offset, length, out refusal) : base.TryShare(source, sourceOffset, offset, length, out refusal);

    /// <inheritdoc/>
    internal override bool TryCopy(BlockStorage source, long sourceOffset, long offset, long length)
        => isWritable && storage.TryCopy(source, sourceOffset, offset, length);

    /// <inheritdoc/>
    internal override void WillRead(long offset, long length) => storage.WillRead(offset, length);

    /// <inheritdoc/>
    internal override LocalFile? HostFile => storage.HostFile;

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => storage.RunAt(offset);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
