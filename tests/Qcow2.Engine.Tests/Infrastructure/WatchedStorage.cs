using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests;

/// <summary>Another storage, with somebody who is told of each write before it happens, and can throw to make a fault.</summary>
internal sealed class WatchedStorage(BlockStorage storage, Action<long, int> beforeWrite) : BlockStorage
{
    public override string Path => storage.Path;

    public override long Length => storage.Length;

    public override long AllocatedLength => storage.AllocatedLength;

    public override bool HasFixedLength => storage.HasFixedLength;

    public override FileIdentity Identity => storage.Identity;

    public override int Read(long offset, Span<byte> buffer) => storage.Read(offset, buffer);

    public override void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        beforeWrite(offset, buffer.Length);
        storage.Write(offset, buffer);
    }

    public override void SetLength(long length) => storage.SetLength(length);

    public override void Flush() => storage.Flush();

    public override bool TryAllocate(long offset, long length) => storage.TryAllocate(offset, length);

    public override bool TryPunchHole(long offset, long length) => storage.TryPunchHole(offset, length);

    public override StorageRun RunAt(long offset) => storage.RunAt(offset);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            storage.Dispose();
        }
    }
}
