using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests;

/// <summary>A file in memory, with faults on demand. It grows as a file does: what a write skips reads as zeros.</summary>
internal sealed class MemoryStorage : BlockStorage
{
    private static long _lastFile;
    private readonly ReaderWriterLockSlim _growth = new();
    private readonly string _path;
    private readonly FileIdentity _identity = new(ulong.MaxValue, (ulong)Interlocked.Increment(ref _lastFile));
    private byte[] _content;
    private long _length;
    private long _reads;

    internal MemoryStorage(byte[] content, string path = "memory")
    {
        _content = content;
        _length = content.Length;
        _path = path;
    }

    public override string Path => _path;

    public override long Length => Interlocked.Read(ref _length);

    public override long AllocatedLength => Length;

    public override FileIdentity Identity => SaidIdentity ?? _identity;

    /// <summary>Which file this is said to be; by default one of its own.</summary>
    internal FileIdentity? SaidIdentity { get; init; }

    /// <summary>Called before each read with its offset and length; throws to inject a fault.</summary>
    internal Action<long, int>? BeforeRead { get; set; }

    /// <summary>Called before each write with its offset and length; throws to inject a fault.</summary>
    internal Action<long, int>? BeforeWrite { get; set; }

    /// <summary>Called before each write with its bytes, to record it.</summary>
    internal Action<long, byte[]>? Written { get; set; }

    /// <summary>Called before each flush; throws to inject a fault.</summary>
    internal Action? BeforeFlush { get; set; }

    /// <summary>Called before each change of the length; throws to inject a fault.</summary>
    internal Action<long>? BeforeSetLength { get; set; }

    /// <summary>Called before each punched hole with its offset and length; a host that cannot returns false.</summary>
    internal Func<long, long, bool>? BeforePunchHole { get; set; }

    /// <summary>Blocks that can be shared with any other file, as a file system would that has reflinks; here they are copied. 0 for none.</summary>
    internal int ShareBlock { get; init; }

    /// <summary>Called before each sharing with the offset here and the length; a host that refuses it returns false.</summary>
    internal Func<long, long, bool>? BeforeShare { get; set; }

    /// <summary>Makes a failed flush final, as it is with a file of the host; null where the next one may succeed.</summary>
    internal PageCacheFlush? HostFlush { get; init; }

    internal long Reads => Interlocked.Read(ref _reads);

    internal bool IsDisposed { get; private set; }

    /// <summary>The file's bytes as they are now.</summary>
    internal byte[] Content => _content.Length == _length ? _content : _content.AsSpan(0, (int)_length).ToArray();

    public override int Read(long offset, Span<byte> buffer)
    {
        Interlocked.Increment(ref _reads);
        BeforeRead?.Invoke(offset, buffer.Length);
        _growth.EnterReadLock();
        try
        {
            int count = (int)Math.Max(0, Math.Min(buffer.Length, _length - offset));
            _content.AsSpan((int)Math.Min(offset, _length), count).CopyTo(buffer);
            return count;
        }
        finally
        {
            _growth.ExitReadLock();
        }
    }

    public override void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        HostFlush?.NoteWrite(); // One thread at a time uses it with this.
        BeforeWrite?.Invoke(offset, buffer.Length);
        Written?.Invoke(offset, buffer.ToArray());
        if (offset + buffer.Length > Length)
        {
            Resize(offset + buffer.Length, shrink: false);
        }

        Put(offset, buffer);
    }

    public override void SetLength(long length)
    {
        HostFlush?.NoteWrite();
        BeforeSetLength?.Invoke(length);
        Resize(length, shrink: true);
    }

    public override void Flush()
    {
        void Flush() => BeforeFlush?.Invoke();
        if (HostFlush is null)
        {
            Flush();
        }
        else
        {
            HostFlush.Run(Flush);
        }
    }

    public override bool TryPunchHole(long offset, long length)
    {
        length = Math.Min(length, Length - offset);
        if (length <= 0 || BeforePunchHole?.Invoke(offset, length) == false)
        {
            return false;
        }

        byte[] zeros = new byte[length];
        Written?.Invoke(offset, zeros);
        Put(offset, zeros);
        return true;
    }

    public override int ShareUnit(BlockStorage source, out string? refusal)
    {
        refusal = ShareBlock == 0 ? "memory is not shared" : null;
        return ShareBlock;
    }

    public override bool TryShare(BlockStorage source, long sourceOffset, long offset, long length, out string? refusal)
    {
        Assert.True(((sourceOffset | offset | length) & (ShareBlock - 1)) == 0 && length > 0, $"{sourceOffset}, {offset} and {length} are not aligned.");
        Assert.InRange(sourceOffset + length, 1, source.Length);
        refusal = BeforeShare?.Invoke(offset, length) == false ? "the test refuses it" : null;
        if (refusal is not null)
        {
            return false;
        }

        byte[] content = new byte[length];
        Assert.Equal(length, source.Read(sourceOffset, content));
        HostFlush?.NoteWrite();
        Written?.Invoke(offset, content);
        Resize(offset + length, shrink: false);
        Put(offset, content);
        return true;
    }

    public override StorageRun RunAt(long offset) => new(true, Length);

    protected override void Dispose(bool disposing) => IsDisposed = true;

    private void Put(long offset, ReadOnlySpan<byte> buffer)
    {
        // Exclusive: a disk writes sectors whole.
        _growth.EnterWriteLock();
        try
        {
            buffer.CopyTo(_content.AsSpan((int)offset));
        }
        finally
        {
            _growth.ExitWriteLock();
        }
    }

    private void Resize(long length, bool shrink)
    {
        _growth.EnterWriteLock();
        try
        {
            if (length > _content.Length)
            {
                Array.Resize(ref _content, (int)Math.Max(length, Math.Min(_content.Length * 2L, _content.Length + (64L << 20))));
            }

            if (length < _length)
            {
                if (!shrink)
                {
                    return;
                }

                _content.AsSpan((int)length, (int)(_length - length)).Clear();
            }

            Interlocked.Exchange(ref _length, length);
        }
        finally
        {
            _growth.ExitWriteLock();
        }
    }
}
