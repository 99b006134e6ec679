namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is written beside its destination and moved over it when it is complete. Until then, and whatever goes
/// wrong, the destination stays as it was and nothing is left behind.
/// </summary>
/// <remarks>
/// The new file gets what the one that it replaces has (<see cref="FileTraits"/>), before anything of a disk is in it. What is replaced is
/// locked meanwhile as if it were written: a virtual machine whose disk another file has taken the name of goes on with one that is gone when
/// it ends. Where the path is a symbolic link, what it leads to is replaced.
/// </remarks>
public sealed class ReplacementFile : IDisposable
{
    private readonly bool _overwrite;
    private readonly IncompleteFile _file;
    private readonly Destination _destination;
    private LocalFile? _replaced;
    private FileTraits? _traits;

    private ReplacementFile(Destination destination, bool overwrite, LocalFile? replaced, FileTraits? traits, IncompleteFile file)
    {
        _destination = destination;
        _overwrite = overwrite;
        _replaced = replaced;
        _traits = traits;
        _file = file;
    }

    /// <summary>Where the new bytes go.</summary>
    public BlockStorage Storage => _file.File;

    /// <summary>Begins a file.</summary>
    /// <param name="path">The destination; a relative path is taken from the process's current directory.</param>
    /// <param name="overwrite">Whether a destination that exists is replaced.</param>
    /// <exception cref="Qcow2Exception">
    /// The destination exists and may not be replaced, is protected, or is no file; another program has it open as an image; or the new file
    /// cannot have what the old one has.
    /// </exception>
    /// <exception cref="IOException">The file could not be created.</exception>
    public static ReplacementFile Create(string path, bool overwrite) => Create(path, overwrite, canHaveNoName: true);

    /// <summary>Begins a file.</summary>
    /// <param name="path">The destination.</param>
    /// <param name="overwrite">Whether a destination that exists is replaced.</param>
    /// <param name="canHaveNoName">Whether the host is asked for a file without a name; tests do without, as some file systems.</param>
    internal static ReplacementFile Create(string path, bool overwrite, bool canHaveNoName)
    {
        Destination destination = Destination.At(path);
        destination.EnsureReplaceable(overwrite);
        LocalFile? replaced = Hold(destination, null);
        try
        {
            IncompleteFiles.Sweep(destination.Folder);
            FileTraits? traits = TraitsOf(destination, replaced);
            IncompleteFile file = IncompleteFile.Create(
                destination.Target, destination.Path, traits is not null, canHaveNoName, (created, name) => traits?.GiveTo(created, name, destination.Path));
            return new ReplacementFile(destination, overwrite, replaced, traits, file);
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
        Destination now = Check();
        if (now.Kind != FileKind.None)
        {
            _file.MoveOver(IsReplaced);
        }
        else if (!_file.TryMoveToNew())
        {
            if (Check().Kind == FileKind.None) // Refuses what may not be replaced.
            {
                throw new IOException($"{_destination.Path}: another program makes and removes this very file. Nothing was written.");
            }

            _file.MoveOver(IsReplaced);
        }

        _file.File.Dispose();
        FlushFolder(_destination.Folder);
    }

    /// <summary>Makes sure that nothing has come between since the file was begun. Of several files none should be moved before this holds of all.</summary>
    /// <exception cref="Qcow2Exception">A destination that may not be replaced, or is in use, came to exist meanwhile.</exception>
    /// <exception cref="IOException">The link that the destination is leads elsewhere by now.</exception>
    internal void EnsureReplaceable() => Check();

    /// <summary>Closes the file, and removes it unless it was moved into place.</summary>
    public void Dispose()
    {
        _replaced?.Dispose();
        _file.Dispose();
    }

    private Destination Check()
    {
        Destination now = Destination.At(_destination.Path);
        now.EnsureReplaceable(_overwrite);
        if (!string.Equals(now.Target, _destination.Target, StringComparison.Ordinal))
        {
            throw new IOException($"{_destination.Path}: this symbolic link leads to another file than before, {now.Target}. Nothing was written.");
        }

        _replaced = Hold(now, _replaced);
        if (TraitsOf(now, _replaced) is FileTraits traits && (_traits is null || !traits.IsSameAs(_traits)))
        {
            traits.GiveTo(_file.File, _file.Name, now.Path); // Another file, or somebody has changed its rights since.
            _traits = traits;
        }

        return now;
    }

    private static FileTraits? TraitsOf(Destination destination, LocalFile? replaced)
        => destination.Kind == FileKind.Regular ? FileTraits.Of(destination.Target, replaced) : null;

    private bool IsReplaced(string path)
        => OperatingSystemInfo.IsWindows || (FileStatus.OfLink(path) is { Kind: FileKind.Regular } status && _replaced?.Identity.IsProvenSameAs(status.Identity) == true);

    /// <summary>Opens what is to be replaced and locks it where the host can do that. Where that is what is held already, nothing changes.</summary>
    private static LocalFile? Hold(Destination destination, LocalFile? held)
    {
        if (destination.Kind != FileKind.Regular || OperatingSystemInfo.IsWindows)
        {
            return held; // On Windows a file that is open cannot be replaced.
        }

        LocalFile file = LocalFile.OpenRead(destination.Target);
        if (held is not null && file.Identity.IsProvenSameAs(held.Identity))
        {
            file.Dispose();
            return held;
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

        held?.Dispose();
        return file;
    }
}
