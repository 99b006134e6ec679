using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>A part of a file that is a file itself, such as one in an archive. Only to be read.</summary>
/// <param name="storage">The file.</param>
/// <param name="offset">Where the part begins.</param>
/// <param name="length">Bytes of the part.</param>
/// <param name="path">What it is called.</param>
/// <param name="owned">Whether the file is closed with the part.</param>
internal sealed class SliceStorage(BlockStorage storage, long offset, long length, string path, bool owned = false) : BlockStorage
{
    /// <inheritdoc/>
    public override string Path => path;

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override long AllocatedLength => length;

    /// <inheritdoc/>
    public override FileIdentity Identity => storage.Identity;

    /// <inheritdoc/>
    public override int Read(long position, Span<byte> buffer)
        => position >= length ? 0 : storage.Read(offset + position, buffer.Slice(0, (int)Math.Min(buffer.Length, length - position)));

    /// <inheritdoc/>
    internal override void WillRead(long position, long count)
    {
        if (position < length)
        {
            storage.WillRead(offset + position, Math.Min(count, length - position));
        }
    }

    /// <inheritdoc/>
    public override void Write(long position, ReadOnlySpan<byte> buffer) => throw ReadOnly();

    /// <inheritdoc/>
    public override void SetLength(long newLength) => throw ReadOnly();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long position)
    {
        StorageRun run = storage.RunAt(offset + position);
        return run with { End = Math.Min(length, run.End - offset) };
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && owned)
        {
            storage.Dispose();
        }
    }

    private static NotSupportedException ReadOnly() => new("A part of an archive can only be read.");
}
