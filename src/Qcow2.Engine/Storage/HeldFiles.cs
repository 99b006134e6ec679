namespace Qcow2.Engine.Storage;

/// <summary>Files that are to be deleted after something was read from them.</summary>
public sealed class HeldFiles : IDisposable
{
    private readonly List<HeldFile> _files = [];

    /// <summary>Takes hold of files, of each once.</summary>
    /// <param name="paths">The files.</param>
    /// <exception cref="Qcow2Exception">Another program has one of them open.</exception>
    /// <exception cref="IOException">One could not be opened.</exception>
    public HeldFiles(IEnumerable<string> paths)
    {
        try
        {
            foreach (string path in paths.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal))
            {
                _files.Add(HeldFile.Hold(path));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Opens one of the files once more, for reading.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <returns>Null if it is not one of them.</returns>
    public LocalFile? TryOpenRead(string path)
    {
        string fullPath = Path.GetFullPath(path);
        return _files.Find(file => string.Equals(file.Path, fullPath, StringComparison.Ordinal))?.OpenRead();
    }

    /// <summary>Deletes the files, in the order in which they were given.</summary>
    /// <exception cref="IOException">Another file has come to one of the paths; it and those after it are left.</exception>
    public void Delete() => _files.ForEach(file => file.Delete());

    /// <summary>Lets go of all of them.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());
}
