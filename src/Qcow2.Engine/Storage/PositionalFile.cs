using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>Reads and writes by position, from many threads at once, on every framework.</summary>
internal sealed class PositionalFile : IDisposable
{
#if NET
    private FileStream? _stream; // Where one made the file, it lives as long as its handle is used.

    private PositionalFile(SafeFileHandle handle) => Handle = handle;

    internal SafeFileHandle Handle { get; }

    internal long Length => RandomAccess.GetLength(Handle);

    internal static PositionalFile Open(string path, FileMode mode, FileAccess access, FileShare share)
        => new(File.OpenHandle(path, mode, access, share));

    /// <summary>Creates a file that only its owner may open, on Linux and macOS.</summary>
    internal static PositionalFile CreatePrivate(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = ImageSharing.All, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var stream = new FileStream(path, options);
        return new PositionalFile(stream.SafeFileHandle) { _stream = stream };
    }

    /// <summary>Whether an open file can be taken over.</summary>
    internal static bool CanOwn => true;

    /// <summary>Takes over an open file.</summary>
    internal static PositionalFile Own(SafeFileHandle handle) => new(handle);

    internal int Read(long offset, Span<byte> buffer) => RandomAccess.Read(Handle, buffer, offset);

    internal void Write(long offset, ReadOnlySpan<byte> buffer) => RandomAccess.Write(Handle, buffer, offset);

    internal void SetLength(long length) => RandomAccess.SetLength(Handle, length);

    internal void Flush() => RandomAccess.FlushToDisk(Handle);

    public void Dispose()
    {
        Handle.Dispose();
        _stream?.Dispose();
    }
#else
    private readonly FileStream _stream;
    private readonly object _gate = new();
    private readonly byte[] _buffer = new byte[128 * 1024];

    private PositionalFile(FileStream stream) => _stream = stream;

    internal SafeFileHandle Handle => _stream.SafeFileHandle;

    internal long Length
    {
        get
        {
            lock (_gate)
            {
                return _stream.Length;
            }
        }
    }

    // A buffer size of 1 turns FileStream's own buffering off: what is written is at once in the file.
    internal static PositionalFile Open(string path, FileMode mode, FileAccess access, FileShare share)
        => new(new FileStream(path, mode, access, share, 1));

    /// <summary>Creates a file that only its owner may open, on Linux and macOS.</summary>
    internal static unsafe PositionalFile CreatePrivate(string path)
    {
        const uint OwnerOnly = 0x180; // rw-------
        if (!LibC.IsLinux || !CanOwn)
        {
            PositionalFile file = Open(path, FileMode.CreateNew, FileAccess.ReadWrite, ImageSharing.All);
            _ = LibC.ChangeMode(file.Handle, OwnerOnly);
            return file;
        }

        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
        {
            int descriptor = LibC.OpenOrCreate(name, LibC.CreateOnly, OwnerOnly);
            return descriptor >= 0
                ? Own(new SafeFileHandle((IntPtr)descriptor, ownsHandle: true))
                : throw new IOException($"{path}: the file could not be created ({new System.ComponentModel.Win32Exception().Message}).");
        }
    }

    /// <summary>Whether an open file can be taken over. Mono's streams take only what they opened.</summary>
    internal static bool CanOwn { get; } = Type.GetType("Mono.Runtime") is null;

    /// <summary>Takes over a file that is open for reading and writing.</summary>
    internal static PositionalFile Own(SafeFileHandle handle) => new(new FileStream(handle, FileAccess.ReadWrite, 1));

    internal int Read(long offset, Span<byte> buffer)
    {
        lock (_gate)
        {
            _stream.Position = offset;
            int read = _stream.Read(_buffer, 0, Math.Min(buffer.Length, _buffer.Length));
            _buffer.AsSpan(0, read).CopyTo(buffer);
            return read;
        }
    }

    internal void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        lock (_gate)
        {
            _stream.Position = offset;
            while (!buffer.IsEmpty)
            {
                int count = Math.Min(buffer.Length, _buffer.Length);
                buffer.Slice(0, count).CopyTo(_buffer);
                _stream.Write(_buffer, 0, count);
                buffer = buffer.Slice(count);
            }
        }
    }

    internal void SetLength(long length)
    {
        lock (_gate)
        {
            _stream.SetLength(length);
        }
    }

    internal void Flush()
    {
        lock (_gate)
        {
            _stream.Flush(flushToDisk: true);
        }
    }

    public void Dispose() => _stream.Dispose();
#endif
}
