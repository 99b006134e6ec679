using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>A file or block device of the host.</summary>
public sealed class LocalFile : BlockStorage
{
    private const long MuchBytes = 64L << 20;

    private readonly SafeFileHandle _handle;
    private readonly PositionalFile _file;
    private readonly FileKind _kind;
    private readonly PageCacheFlush _flush;

    private readonly string? _hostPath;

    private LocalFile(string path, string? hostPath, PositionalFile file, FileIdentity identity, FileKind kind, bool isOrdinary)
    {
        Path = path;
        _hostPath = hostPath;
        _file = file;
        _handle = file.Handle;
        Identity = identity;
        _kind = kind;
        IsOrdinary = isOrdinary;
        _flush = new PageCacheFlush(path);
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override FileIdentity Identity { get; }

    /// <inheritdoc/>
    public override long Length
        => _kind == FileKind.BlockDevice ? LibC.Seek(_handle, 0, LibC.SeekEnd) : _file.Length;

    /// <inheritdoc/>
    public override bool HasFixedLength => _kind == FileKind.BlockDevice;

    /// <inheritdoc/>
    public override long AllocatedLength
        => (OperatingSystemInfo.IsWindows ? WindowsFileStatus.AllocatedLengthOf(_handle)
            : LibC.IsLinux ? FileStatus.OfDescriptorOn(_handle)?.AllocatedLength
            : FileStatus.OfPath(_hostPath ?? Path)?.AllocatedLength) ?? Length;

    /// <summary>Whether locks are to be released before the file is closed.</summary>
    internal bool HoldsLocks { get; set; }

    /// <summary>Whether it is open for reading, and locked so that no program that heeds locks writes it meanwhile.</summary>
    internal bool IsKeptFromWriters { get; set; }

    /// <summary>Whether it must have no holes on Windows and be neither compressed nor encrypted there; see <see cref="WindowsOrdinaryFile"/>.</summary>
    internal bool IsOrdinary { get; }

    /// <summary>The open file, for locks.</summary>
    internal SafeFileHandle Handle => _handle;

    /// <summary>Opens a file that exists, for reading. Other programs may go on reading and writing it.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It is no regular file or block device, or could not be opened.</exception>
    public static LocalFile OpenRead(string path) => Open(path, FileAccess.Read, ImageSharing.All);

    /// <summary>Opens a file that exists, for reading and writing. Other programs may go on reading and writing it.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    /// <exception cref="IOException">It is no regular file or block device, or could not be opened.</exception>
    public static LocalFile OpenReadWrite(string path) => Open(path, FileAccess.ReadWrite, ImageSharing.All);

    /// <summary>Creates a file that must not exist yet, for reading and writing.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <exception cref="IOException">It exists, or could not be created.</exception>
    public static LocalFile CreateNew(string path) => CreateNew(System.IO.Path.GetFullPath(path), null, isPrivate: false);

    /// <summary>Creates a file that must not exist yet, and that is known to people under another path than it has for now.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="shownPath">The path that errors name, of a file that is renamed by its handle when it is complete; null for the same.</param>
    /// <param name="isPrivate">Whether nobody but its owner may open it, from the first moment on. On Windows the folder decides.</param>
    /// <param name="isOrdinary">Whether it must have no holes on Windows and be neither compressed nor encrypted there.</param>
    internal static LocalFile CreateNew(string path, string? shownPath, bool isPrivate, bool isOrdinary = false)
    {
        PositionalFile file = OperatingSystemInfo.IsWindows && shownPath is not null
            ? PositionalFile.Own(WindowsFile.Open(path, WindowsFile.GenericRead | WindowsFile.GenericWrite | WindowsFile.MayBeDeleted, ImageSharing.All, WindowsFile.CreateNew))
            : isPrivate && !OperatingSystemInfo.IsWindows
            ? PositionalFile.CreatePrivate(path)
            : PositionalFile.Open(path, FileMode.CreateNew, FileAccess.ReadWrite, ImageSharing.All);
        if (isOrdinary)
        {
            file = WindowsOrdinaryFile.Make(path, file);
        }
        else
        {
            WindowsSparseFile.TryMakeSparse(file.Handle);
        }

        return Finish(shownPath ?? path, path, file, FileStatus.OfPath(path), isOrdinary);
    }

    /// <summary>Takes over a file that is open for reading and writing and has no path, on Linux.</summary>
    /// <param name="shownPath">The path that errors name.</param>
    /// <param name="handle">The open file.</param>
    /// <param name="isOrdinary">Whether it must be one on Windows, which here changes nothing.</param>
    internal static LocalFile Own(string shownPath, SafeFileHandle handle, bool isOrdinary)
        => Finish(shownPath, null, PositionalFile.Own(handle), FileStatus.OfDescriptorOn(handle), isOrdinary);

    /// <summary>Opens a file that exists.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="access">What for.</param>
    /// <param name="share">What other programs may do meanwhile; see <see cref="ImageSharing"/>.</param>
    /// <param name="refusal">What is said where another program keeps this one from that, on Windows.</param>
    internal static LocalFile Open(string path, FileAccess access, FileShare share, string refusal = ImageLock.WritingRefused)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        FileStatus? status = FileStatus.OfPath(fullPath);
        RequireFile(fullPath, status);
        if (status is { Kind: FileKind.BlockDevice } && access != FileAccess.Read)
        {
            DeviceUse.RequireNone(fullPath);
        }

        WindowsPlaceholder.Refuse(fullPath);
        PositionalFile file;
        try
        {
            file = PositionalFile.Open(fullPath, FileMode.Open, access, share);
        }
        catch (IOException e) when (ImageSharing.IsConflict(e, OperatingSystemInfo.IsWindows))
        {
            throw WindowsSharing.Conflict(fullPath, refusal, access, share, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw AccessRefusal.For(fullPath, access, e);
        }

        // The path may have led to another file when it was looked at.
        return Finish(fullPath, fullPath, file, LibC.IsLinux ? FileStatus.OfDescriptorOn(file.Handle) ?? status : status);
    }

    /// <summary>
    /// Opens a file on Windows so that nobody writes it until it is closed, that another one can be moved over it meanwhile, and that nobody has
    /// it open who would be in the way of that.
    /// </summary>
    /// <param name="path">Full path.</param>
    /// <exception cref="Qcow2Exception">Another program has it open for writing, relies on nobody writing it, or does not share its deletion.</exception>
    internal static LocalFile OpenToReplace(string path)
    {
        RequireFile(path, null);
        SafeFileHandle? handle = null;
        int error = Patience.ForOpening.Try(
            () =>
            {
                handle?.Dispose();
                if (WindowsSharing.IsReliedOn(path))
                {
                    return WindowsFile.ErrorSharingViolation;
                }

                handle = WindowsFile.TryOpen(path, WindowsFile.GenericRead | WindowsFile.MayBeDeleted, FileShare.Read | FileShare.Delete, WindowsFile.OpenExisting, out int code);
                return code == 0 && !WindowsFile.TryLock(handle) ? WindowsFile.ErrorLockViolation : code; // Share modes let two of us in.
            },
            ImageSharing.IsConflict);
        if (error != 0)
        {
            handle?.Dispose();
        }

        return error == 0 ? Finish(path, path, PositionalFile.Own(handle!), null)
            : ImageSharing.IsConflict(error) ? throw WindowsSharing.Conflict(path, ImageLock.WritingRefused, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, null)
            : error == WindowsFile.ErrorAccessDenied ? throw AccessRefusal.For(path, FileAccess.ReadWrite, new UnauthorizedAccessException())
            : throw WindowsFile.Failure(path, error);
    }

    /// <summary>Says which file a path leads to; null where there is none, or none that could be opened.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    internal static FileIdentity? TryIdentify(string path)
    {
        try
        {
            string fullPath = System.IO.Path.GetFullPath(path);
            return OperatingSystemInfo.IsWindows ? WindowsFileStatus.TryIdentify(fullPath) : FileStatus.OfPath(fullPath)?.Identity;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = _file.Read(offset + total, buffer.Slice(total));
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        return total;
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(offset, buffer);
        }
        catch (Exception e) when (HostError.Describe(e, _hostPath, Path, offset + buffer.Length) is IOException described)
        {
            throw described;
        }
        finally
        {
            _flush.NoteWrite(); // Also when it failed: a part may be written.
        }
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The host could not change it, or it is a device that is too small.</exception>
    public override void SetLength(long length)
    {
        if (_kind != FileKind.BlockDevice)
        {
            if (OperatingSystemInfo.IsWindows && !IsOrdinary && length - _file.Length >= MuchBytes)
            {
                WindowsSparseFile.TryMakeSparse(_handle); // Or the next write behind it waits until Windows has written zeros up to there.
            }

            try
            {
                _file.SetLength(length);
            }
            catch (Exception e) when (length >= 0 && HostError.Describe(e, _hostPath, Path, length) is IOException described)
            {
                throw described;
            }

            _flush.NoteWrite();
        }
        else if (length > Length)
        {
            throw new IOException($"{Path}: this device has {Length} bytes, and {length} are needed.");
        }
    }

    /// <inheritdoc/>
    /// <remarks>After a failure every later flush fails, too, until the file is opened again.</remarks>
    public override void Flush()
    {
        try
        {
            _flush.Run(_file.Flush);
        }
        catch (IOException e) when (HostError.Describe(e, _hostPath, Path, Length) is IOException described)
        {
            throw described;
        }
    }

    /// <inheritdoc/>
    public override bool TryAllocate(long offset, long length)
    {
        bool isDone = LibC.IsLinux && LibC.Allocate(_handle, 0, offset, length) == 0;
        int error = System.Runtime.InteropServices.Marshal.GetLastWin32Error();
        _flush.NoteWrite();
        if (isDone || !LibC.IsLinux)
        {
            return isDone;
        }

        return error == LibC.ErrorNoSpace || error == LibC.ErrorQuota ? throw HostError.NoSpace(Path, offset + length, error) : false;
    }

    /// <inheritdoc/>
    public override bool TryPunchHole(long offset, long length)
    {
        bool isDone = LibC.IsLinux
            ? LibC.Allocate(_handle, LibC.PunchHole, offset, length) == 0
            : OperatingSystemInfo.IsWindows && WindowsSparseFile.TryPunchHole(_handle, offset, length);
        _flush.NoteWrite();
        return isDone;
    }

    /// <inheritdoc/>
    public override int ShareUnit(BlockStorage source, out string? refusal)
    {
        refusal = "only files share what they hold";
        if (source.HostFile is not LocalFile file || file._kind != FileKind.Regular || _kind != FileKind.Regular)
        {
            return 0;
        }

        return LibC.IsLinux ? LinuxReflink.UnitOf(file._handle, _handle, out refusal)
            : OperatingSystemInfo.IsWindows ? WindowsBlockClone.UnitOf(file._handle, _handle, out refusal)
            : 0;
    }

    /// <inheritdoc/>
    public override bool TryShare(BlockStorage source, long sourceOffset, long offset, long length, out string? refusal)
    {
        refusal = "only files share what they hold";
        if (source.HostFile is not LocalFile file)
        {
            return false;
        }

        try
        {
            if (LibC.IsLinux)
            {
                return LinuxReflink.TryShare(file._handle, sourceOffset, _handle, offset, length, out refusal);
            }

            if (!OperatingSystemInfo.IsWindows)
            {
                return false;
            }

            LengthenTo(offset + length);
            return WindowsBlockClone.TryShare(file._handle, sourceOffset, _handle, offset, length, out refusal);
        }
        finally
        {
            _flush.NoteWrite();
        }
    }

    /// <inheritdoc/>
    internal override bool TryCopy(BlockStorage source, long sourceOffset, long offset, long length)
    {
        try
        {
            return LibC.IsLinux && source.HostFile is LocalFile { _kind: FileKind.Regular } file && _kind == FileKind.Regular
                && LinuxReflink.TryCopy(file._handle, sourceOffset, _handle, offset, length);
        }
        finally
        {
            _flush.NoteWrite();
        }
    }

    /// <inheritdoc/>
    internal override LocalFile? HostFile => this;

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset)
    {
        long length = Length;
        if (OperatingSystemInfo.IsWindows)
        {
            return WindowsSparseFile.RunAt(_handle, offset, length);
        }

        // The seek position is shared by threads, but nothing else uses it: all reads and writes are positional.
        long data = LibC.Seek(_handle, offset, LibC.SeekData);
        if (data < 0)
        {
            bool onlyHole = System.Runtime.InteropServices.Marshal.GetLastWin32Error() == LibC.ErrorNoSuchAddress;
            return new StorageRun(!onlyHole, length);
        }

        if (data > offset)
        {
            return new StorageRun(false, Math.Min(data, length));
        }

        long hole = LibC.Seek(_handle, offset, LibC.SeekHole);
        return new StorageRun(true, hole <= offset ? length : Math.Min(hole, length));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            if (HoldsLocks && !_handle.IsClosed)
            {
                ImageLock.Release(this);
            }

            _file.Dispose();
        }
    }

    private static LocalFile Finish(string path, string? hostPath, PositionalFile file, FileStatus? status, bool isOrdinary = false)
    {
        try
        {
            FileStatus known = status ?? (OperatingSystemInfo.IsWindows
                ? FileStatus.OfHandle(file.Handle)
                : throw new IOException($"{path}: the host does not say which file this is."));
            return new LocalFile(path, hostPath, file, known.Identity, known.Kind, isOrdinary);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static void RequireFile(string path, FileStatus? status)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"{path}: this is a folder, not a disk image.");
        }

        bool isOther = OperatingSystemInfo.IsWindows
            ? WindowsDevices.KindOf(path) is FileKind.CharacterDevice or FileKind.Pipe && path.StartsWith(@"\\.\", StringComparison.Ordinal) // What "nul" leads to.
            : status is { Kind: not (FileKind.Regular or FileKind.BlockDevice) };
        if (isOther)
        {
            throw new IOException($"{path}: a disk image is a regular file or a block device, and this is neither.");
        }
    }
}
