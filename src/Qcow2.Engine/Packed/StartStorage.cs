using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>The first bytes of what a packed file holds, unpacked as far as somebody looks at them, but not far.</summary>
internal sealed class StartStorage : BlockStorage
{
    private const int MostBytes = 16 << 20;
    private const int StepBytes = 64 * 1024;

    /// <summary>Farther than marks lie from the start.</summary>
    private const int MarkedBytes = 128 * 1024;

    private readonly object _gate = new();
    private readonly BlockStorage _storage;
    private readonly PackedReader _reader;
    private readonly bool _isPadded;
    private byte[] _bytes = [];
    private int _count;
    private long? _length;

    /// <summary>Begins to unpack.</summary>
    /// <param name="storage">The packed file, which stays the caller's.</param>
    /// <param name="kind">What it is packed with.</param>
    /// <param name="length">Bytes that it holds; null if that is not known.</param>
    /// <param name="isPadded">Whether what lies too far is zeros, and no error: for who looks for marks.</param>
    internal StartStorage(BlockStorage storage, PackedKind kind, long? length, bool isPadded = false)
    {
        _storage = storage;
        _reader = kind.Open(new PackedInput(storage));
        _isPadded = isPadded;
        _length = length;
    }

    /// <summary>Whether somebody asked for what lies too far. Who describes an image takes that for damage, and goes on.</summary>
    internal bool WasTooShort { get; private set; }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <inheritdoc/>
    /// <remarks>More than any file where it is not known.</remarks>
    public override long Length
    {
        get
        {
            lock (_gate)
            {
                Unpack(1);
                return _length ?? long.MaxValue / 2;
            }
        }
    }

    /// <inheritdoc/>
    public override long AllocatedLength => Length;

    /// <inheritdoc/>
    public override FileIdentity Identity => _storage.Identity;

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer)
    {
        lock (_gate)
        {
            if (_isPadded && offset > MarkedBytes)
            {
                return 0;
            }

            Unpack(Math.Min(offset + buffer.Length, MostBytes));
            bool isAll = _length <= _count;
            int count = (int)Math.Max(0, Math.Min(buffer.Length, _count - offset));
            if (count < buffer.Length && !isAll && !_isPadded && !(offset >= _length))
            {
                WasTooShort = true;
                throw new IOException("What lies there has not been unpacked.");
            }

            if (count > 0)
            {
                _bytes.AsSpan((int)offset, count).CopyTo(buffer);
            }

            return count;
        }
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => throw new NotSupportedException("What is packed can only be read.");

    /// <inheritdoc/>
    public override void SetLength(long length) => throw new NotSupportedException("What is packed can only be read.");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => new(true, Length);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _reader.Dispose();
        }
    }

    private void Unpack(long end)
    {
        while (_count < end && !(_count >= _length))
        {
            int wanted = Math.Min(Math.Max(StepBytes, _count), MostBytes - _count);
            if (_bytes.Length < _count + wanted)
            {
                Array.Resize(ref _bytes, _count + wanted);
            }

            int read = _reader.Fill(_bytes.AsSpan(_count, wanted));
            _count += read;
            if (read < wanted)
            {
                _length = _count;
            }
        }
    }
}
