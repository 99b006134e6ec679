namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is written beside its destination and moved over it when it is complete. Until then, and whatever goes
/// wrong, the destination stays as it was and nothing is left behind.
/// </summary>
/// <remarks>
/// The new file gets what the one that it replaces has (<see cref="FileTraits"/>), before anything of a disk is in it. What is replaced is
/// held meanwhile (<see cref="HeldFile"/>): a virtual machine whose disk another file has taken the name of goes on with one that is gone when
/// it ends. Where the path is a symbolic link, what it leads to is replaced.
/// </remarks>
public sealed class ReplacementFile : IDisposable
{
    private readonly bool _overwrite;
    private readonly IncompleteFile _file;
    private readonly Destination _destination;
    private readonly HeldFile? _source;
    private HeldFile? _replaced;
    private FileTraits? _traits;

    private ReplacementFile(Destination destination, bool overwrite, HeldFile? source, HeldFile? replaced, FileTraits? traits, IncompleteFile file)
    {
        _destination = destination;
        _overwrite = overwrite;
        _source = source;
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
    internal static ReplacementFile Create(string path, bool overwrite, bool canHaveNoName) => Create(path, overwrite, canHaveNoName, isOrdinary: false, null);

    /// <summary>Begins a file that has no holes on Windows and is neither compressed nor encrypted there, as far as the file system lets it.</summary>
    /// <param name="path">The destination.</param>
    /// <param name="overwrite">Whether a destination that exists is replaced.</param>
    internal static ReplacementFile CreateOrdinary(string path, bool overwrite) => Create(path, overwrite, canHaveNoName: true, isOrdinary: true, null);

    /// <summary>Begins a file that is made from the one that it is to replace, and takes the place of no other.</summary>
    /// <param name="source">That file, which stays the caller's and is held until this is disposed of.</param>
    internal static ReplacementFile Create(HeldFile source) => Create(source.Path, overwrite: true, canHaveNoName: true, isOrdinary: false, source);

    private static ReplacementFile Create(string path, bool overwrite, bool canHaveNoName, bool isOrdinary, HeldFile? source)
    {
        Destination destination = Destination.At(path);
        destination.EnsureReplaceable(overwrite);
        HeldFile? replaced = source is null ? Hold(destination, null) : null;
        try
        {
            IncompleteFiles.Sweep(destination.Folder);
            FileTraits? traits = TraitsOf(destination, source ?? replaced);
            IncompleteFile file = IncompleteFile.Create(
                destination.Target, destination.Path, traits is not null, canHaveNoName, (created, name) => traits?.GiveTo(created, name, destination.Path), isOrdinary);
            return new ReplacementFile(destination, overwrite, source, replaced, traits, file);
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

        _file.FlushName();
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

        if (_source is not null)
        {
            _source.EnsureThere();
        }
        else
        {
            _replaced = Hold(now, _replaced);
        }

        if (TraitsOf(now, _source ?? _replaced) is FileTraits traits && (_traits is null || !traits.IsSameAs(_traits)))
        {
            traits.GiveTo(_file.File, _file.Name, now.Path); // Another file, or somebody has changed its rights since.
            _traits = traits;
        }

        return now;
    }

    private static FileTraits? TraitsOf(Destination destination, HeldFile? replaced)
        => destination.Kind == FileKind.Regular && replaced is not null ? FileTraits.Of(destination.Target, replaced.File) : null;

    private bool IsReplaced(string path)
        => (_source ?? _replaced)?.File.Identity is FileIdentity replaced
            && (OperatingSystemInfo.IsWindows
                ? LocalFile.TryIdentify(path)?.SamenessTo(replaced) is FileSameness.Same or FileSameness.Unknown
                : FileStatus.OfLink(path) is { Kind: FileKind.Regular } status && replaced.IsProvenSameAs(status.Identity));

    /// <summary>Takes hold of what is to be replaced. Where that is what is held already, nothing changes.</summary>
    private static HeldFile? Hold(Destination destination, HeldFile? held)
    {
        if (destination.Kind != FileKind.Regular || (held is not null && held.IsThere()))
        {
            return held;
        }

        var file = HeldFile.Hold(destination.Target);
        held?.Dispose();
        return file;
    }
}
