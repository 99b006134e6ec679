using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests;

/// <summary>A file in memory, with faults on demand.</summary>
internal sealed class MemoryStorage(byte[] content, string path = "memory") : BlockStorage
{
    private static long _lastFile;
    private byte[] _content = content;
    private long _reads;

    public override string Path => path;

    public override long Length => _content.Length;

    public override long AllocatedLength => _content.Length;

    public override FileIdentity Identity { get; } = new(ulong.MaxValue, (ulong)Interlocked.Increment(ref _lastFile));

    /// <summary>Called before each read with its offset and length; throws to inject a fault.</summary>
    internal Action<long, int>? BeforeRead { get; set; }

    /// <summary>Called before each write with its offset and length; throws to inject a fault.</summary>
    internal Action<long, int>? BeforeWrite { get; set; }

    internal long Reads => Interlocked.Read(ref _reads);

    internal bool IsDisposed { get; private set; }

    internal byte[] Content => _content;

    public override int Read(long offset, Span<byte> buffer)
    {
        Interlocked.Increment(ref _reads);
        BeforeRead?.Invoke(offset, buffer.Length);
        int count = (int)Math.Max(0, Math.Min(buffer.Length, _content.Length - offset));
        _content.AsSpan((int)Math.Min(offset, _content.Length), count).CopyTo(buffer);
        return count;
    }

    public override void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        BeforeWrite?.Invoke(offset, buffer.Length);
        buffer.CopyTo(_content.AsSpan((int)offset));
    }

    public override void SetLength(long length) => Array.Resize(ref _content, (int)length);

    public override void Flush()
    {
    }

    public override StorageRun RunAt(long offset) => new(true, _content.Length);

    protected override void Dispose(bool disposing) => IsDisposed = true;
}
