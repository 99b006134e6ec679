using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is written beside its destination and moved over it when it is complete. Until then, and whatever goes
/// wrong, the destination stays as it was and nothing is left behind.
/// </summary>
/// <remarks>
/// The new file gets the owner and the mode of the one that it replaces. What is replaced is locked meanwhile as if it were
/// written: a virtual machine whose disk another file has taken the name of goes on with one that is gone when it ends.
/// </remarks>
public sealed class ReplacementFile : IDisposable
{
    /// <summary>In bytes: most hosts allow names of 255, and what is added takes 38.</summary>
    private const int MaxNameInTemporary = 200;

    private readonly string _path;
    private readonly bool _overwrite;
    private readonly LocalFile _file;
    private LocalFile? _replaced;
    private bool _committed;

    private ReplacementFile(string path, bool overwrite, LocalFile? replaced, LocalFile file)
    {
        _path = path;
        _overwrite = overwrite;
        _replaced = replaced;
        _file = file;
    }

    /// <summary>Where the new bytes go.</summary>
    public BlockStorage Storage => _file;

    /// <summary>Begins a file.</summary>
    /// <param name="path">The destination; a relative path is taken from the process's current directory.</param>
    /// <param name="overwrite">Whether a destination that exists is replaced.</param>
    /// <exception cref="Qcow2Exception">The destination exists and may not be replaced, or another program has it open as an image.</exception>
    /// <exception cref="IOException">The destination is a folder or a link, or the file could not be created.</exception>
    public static ReplacementFile Create(string path, bool overwrite)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        RequireReplaceable(fullPath, overwrite);
        string folder = System.IO.Path.GetDirectoryName(fullPath)
            ?? throw new IOException($"{fullPath}: this is not a file's path.");
        string name = System.IO.Path.GetFileName(fullPath);
        string prefix = Encoding.UTF8.GetByteCount(name) <= MaxNameInTemporary ? name : "";
        string temporary = System.IO.Path.Combine(folder, $".{prefix}.{Guid.NewGuid():N}.tmp");
        LocalFile? replaced = Lock(fullPath, null);
        try
        {
            LocalFile file = LocalFile.CreateNew(temporary);
            FilePermissions.Copy(fullPath, temporary); // Before anything of a disk is in it.
            return new ReplacementFile(fullPath, overwrite, replaced, file);
        }
        catch
        {
            replaced?.Dispose();
            throw;
        }
    }

    /// <summary>How the new name is brought to the disk of the host, given the folder.</summary>
    internal Action<string> FlushFolder { get; set; } = FolderFlush.Run;

    /// <summary>
    /// Moves the file into place, and sees to it that its name survives a power failure. Flush the storage first if the bytes must, too.
    /// </summary>
    /// <exception cref="Qcow2Exception">A destination that may not be replaced, or is in use, came to exist meanwhile.</exception>
    /// <exception cref="IOException">The file could not be moved; or it is in place, but the host's disk could not take its name.</exception>
    public void Commit()
    {
        EnsureReplaceable();
        _file.Dispose();
        Move(_file.Path, _path, _overwrite);
        _committed = true;
        FlushFolder(System.IO.Path.GetDirectoryName(_path)!);
    }

    /// <summary>Makes sure that nothing has come between since the file was begun. Of several files none should be moved before this holds of all.</summary>
    /// <exception cref="Qcow2Exception">A destination that may not be replaced, or is in use, came to exist meanwhile.</exception>
    /// <exception cref="IOException">The destination is a folder or a link by now.</exception>
    internal void EnsureReplaceable()
    {
        RequireReplaceable(_path, _overwrite);
        _replaced = Lock(_path, _replaced);
    }

    /// <summary>Closes the file, and removes it unless it was moved into place.</summary>
    public void Dispose()
    {
        _replaced?.Dispose();
        _file.Dispose();
        if (!_committed)
        {
            File.Delete(_file.Path);
        }
    }

    /// <summary>Locks what a path leads to. Where that is what is locked already, nothing changes.</summary>
    private static LocalFile? Lock(string path, LocalFile? locked)
    {
        if (!ImageLock.IsAvailable || !File.Exists(path))
        {
            return locked; // On Windows a file that is open elsewhere cannot be replaced.
        }

        LocalFile file = LocalFile.OpenRead(path);
        if (locked is not null && file.Identity == locked.Identity)
        {
            file.Dispose();
            return locked;
        }

        try
        {
            ImageLock.AcquireForWriting(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        locked?.Dispose();
        return file;
    }

    private static void RequireReplaceable(string path, bool overwrite)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"{path}: this is a folder; name a file.");
        }

        if (File.Exists(path))
        {
            if (!overwrite)
            {
                throw new Qcow2Exception(Qcow2ErrorCode.DestinationExists, "The file exists already, and replacing it was not allowed.").At(path);
            }

            if ((File.GetAttributes(path) & (FileAttributes.Device | FileAttributes.ReparsePoint)) != 0)
            {
                throw new IOException($"{path}: only a regular file can be replaced, not a device or a link.");
            }
        }
    }

    private static void Move(string from, string to, bool overwrite)
    {
#if NET
        File.Move(from, to, overwrite);
#else
        if (overwrite && File.Exists(to))
        {
            File.Replace(from, to, null);
        }
        else
        {
            File.Move(from, to);
        }
#endif
    }
}
