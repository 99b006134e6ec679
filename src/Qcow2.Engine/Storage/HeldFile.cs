namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is to be replaced or deleted after something was read from it, held against writers from the first read until then: what another
/// program wrote meanwhile would be lost.
/// </summary>
/// <remarks>
/// On Linux it is locked as if it were written, and whoever opened it before it lost its name is refused. On Windows nobody else can write it, and
/// nobody who does not share its deletion can open it; who shares everything may read it, and keeps what it reads.
/// </remarks>
public sealed class HeldFile : IDisposable
{
    private readonly LocalFile _file;

    private HeldFile(LocalFile file) => _file = file;

    /// <summary>Full path of the file.</summary>
    public string Path => _file.Path;

    /// <summary>The file, open for reading.</summary>
    internal LocalFile File => _file;

    /// <summary>Takes hold of a file.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory. A link is followed.</param>
    /// <exception cref="Qcow2Exception">Another program has it open.</exception>
    /// <exception cref="IOException">It could not be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read it, or on Windows not delete it.</exception>
    public static HeldFile Hold(string path)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        return new HeldFile(OperatingSystemInfo.IsWindows
            ? LocalFile.OpenToReplace(fullPath)
            : LockedFile.Open(fullPath, () => LocalFile.OpenRead(fullPath), ImageLock.AcquireForWriting));
    }

    /// <summary>Opens the file once more, for reading beside this.</summary>
    /// <exception cref="IOException">It is not there any more, or another one is.</exception>
    public LocalFile OpenRead()
    {
        var file = LocalFile.OpenRead(Path);
        try
        {
            // Whoever reads by force locks that, too.
            ImageLock.AcquireForSharedReading(file);
            return IsSame(file.Identity) ? file : throw Changed();
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Deletes the file. Where the path is a link, the link goes, and the file stays.</summary>
    /// <exception cref="IOException">Another file is there by now, which is left; or the host could not delete it.</exception>
    public void Delete()
    {
        EnsureThere();
        System.IO.File.Delete(Path);
    }

    /// <summary>Makes sure that the file still has its name.</summary>
    /// <exception cref="IOException">Another file is there by now, or none.</exception>
    internal void EnsureThere()
    {
        if (!IsThere())
        {
            throw Changed();
        }
    }

    /// <summary>Whether the file still has its name.</summary>
    internal bool IsThere() => LocalFile.TryIdentify(Path) is FileIdentity now && IsSame(now);

    /// <summary>Lets go of the file.</summary>
    public void Dispose()
    {
        LateWriters.Await(_file);
        _file.Dispose();
    }

    /// <summary>Over networks Windows does not always know, and holds it all the same: then nothing else can have come there but by another's doing.</summary>
    private bool IsSame(FileIdentity other) => other.SamenessTo(_file.Identity) is not FileSameness.Different;

    private IOException Changed() => new($"{Path}: another program has put another file there, or taken this one away, while it was read. What is there was left as it is.");
}
