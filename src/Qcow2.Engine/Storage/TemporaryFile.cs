namespace Qcow2.Engine.Storage;

/// <summary>
/// A file for what must be read in another order than it comes in. Only its owner may open it; where the host can do that, it has no name, so that nothing is left of it whatever ends the
/// process, and elsewhere it has a hidden one, which goes when it is closed.
/// </summary>
public sealed class TemporaryFile : IDisposable
{
    private readonly IncompleteFile _file;

    private TemporaryFile(IncompleteFile file) => _file = file;

    /// <summary>The bytes, to be written and read; they go with this object. Errors call it by the path that it would have.</summary>
    public BlockStorage Storage => _file.File;

    /// <summary>Makes an empty file.</summary>
    /// <param name="folder">Full path of the folder whose volume has room for it.</param>
    /// <exception cref="IOException">No file can be made there.</exception>
    /// <exception cref="UnauthorizedAccessException">No file may be made there.</exception>
    public static TemporaryFile Create(string folder)
    {
        string path = System.IO.Path.Combine(folder, "temporary file");
        return new TemporaryFile(IncompleteFile.Create(path, path, isPrivate: true, canHaveNoName: true, static (_, _) => { }));
    }

    /// <summary>Closes the file, and removes it.</summary>
    public void Dispose() => _file.Dispose();
}
