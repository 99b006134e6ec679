namespace Qcow2.Engine.Disks;

/// <summary>A position over a <see cref="VirtualDisk"/>, for reading and, where the disk can be written, writing. Like every stream, for one thread at a time.</summary>
internal sealed class DiskStream(VirtualDisk disk) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => disk.CanWrite;

    public override long Length => disk.Length;

    public override long Position
    {
        get => _position;
        set => _position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A position is 0 or more.");
    }

    public override int Read(byte[] buffer, int offset, int count) => ReadSpan(buffer.AsSpan(offset, count));

#if NET
    public override int Read(Span<byte> buffer) => ReadSpan(buffer);
#endif

    public override long Seek(long offset, SeekOrigin origin)
    {
        long target = offset + origin switch
        {
            SeekOrigin.Begin => 0,
            SeekOrigin.Current => _position,
            SeekOrigin.End => Length,
            _ => throw new ArgumentOutOfRangeException(nameof(origin)),
        };

        return _position = target >= 0 ? target : throw new IOException("A seek cannot lead to before the start of the disk.");
    }

    public override void Flush() => disk.Flush();

    public override void SetLength(long value) => throw new NotSupportedException("A disk does not grow by being written.");

    public override void Write(byte[] buffer, int offset, int count) => WriteSpan(buffer.AsSpan(offset, count));

#if NET
    public override void Write(ReadOnlySpan<byte> buffer) => WriteSpan(buffer);
#endif

    private void WriteSpan(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > disk.Length - _position)
        {
            throw new IOException($"The disk ends at {disk.Length}; {buffer.Length} bytes at {_position} do not fit.");
        }

        disk.Write(_position, buffer);
        _position += buffer.Length;
    }

    private int ReadSpan(Span<byte> buffer)
    {
        int read = disk.Read(_position, buffer);
        _position += read;
        return read;
    }
}
