namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is written beside its destination and moved over it when it is complete. Until then, and whatever goes
/// wrong, the destination stays as it was and nothing is left behind.
/// </summary>
public sealed class ReplacementFile : IDisposable
{
    private readonly string _path;
    private readonly bool _overwrite;
    private readonly LocalFile _file;
    private bool _committed;

    private ReplacementFile(string path, bool overwrite, LocalFile file)
    {
        _path = path;
        _overwrite = overwrite;
        _file = file;
    }

    /// <summary>Where the new bytes go.</summary>
    public BlockStorage Storage => _file;

    /// <summary>Begins a file.</summary>
    /// <param name="path">The destination; a relative path is taken from the process's current directory.</param>
    /// <param name="overwrite">Whether a destination that exists is replaced.</param>
    /// <exception cref="Qcow2Exception">The destination exists and may not be replaced.</exception>
    /// <exception cref="IOException">The destination is a folder or a link, or the file could not be created.</exception>
    public static ReplacementFile Create(string path, bool overwrite)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        RequireReplaceable(fullPath, overwrite);
        string folder = System.IO.Path.GetDirectoryName(fullPath)
            ?? throw new IOException($"{fullPath}: this is not a file's path.");
        string temporary = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(fullPath)}.{Guid.NewGuid():N}.tmp");
        return new ReplacementFile(fullPath, overwrite, LocalFile.CreateNew(temporary));
    }

    /// <summary>Moves the file into place. Flush the storage first if the bytes must survive a power failure.</summary>
    /// <exception cref="Qcow2Exception">A destination that may not be replaced came to exist meanwhile.</exception>
    /// <exception cref="IOException">The file could not be moved.</exception>
    public void Commit()
    {
        RequireReplaceable(_path, _overwrite);
        _file.Dispose();
        Move(_file.Path, _path, _overwrite);
        _committed = true;
    }

    /// <summary>Closes the file, and removes it unless it was moved into place.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_committed)
        {
            File.Delete(_file.Path);
        }
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
