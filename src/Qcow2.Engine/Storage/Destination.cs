namespace Qcow2.Engine.Storage;

/// <summary>
/// What stands at the path that a file is to be written to, asked of the host before anything is decided. Only where there is nothing, or a
/// regular file, is a new file moved into place.
/// </summary>
/// <remarks>
/// A symbolic link stands for what it leads to: that file is replaced, in its own folder, and the link stays. A link that leads to nothing yet
/// stands for the file that it names.
/// </remarks>
public sealed class Destination
{
    private Destination(string path, string target, FileKind kind, FileIdentity? identity, FileAccessStatus? access)
    {
        Path = path;
        Target = target;
        Kind = kind;
        Identity = identity;
        Access = access;
    }

    /// <summary>The full path as it was asked for.</summary>
    public string Path { get; }

    /// <summary>Where the file itself lies or will lie: the path without the link that it may be.</summary>
    public string Target { get; }

    /// <summary>What is there, beyond any link.</summary>
    public FileKind Kind { get; }

    /// <summary>Which file it is; null where there is nothing, and on Windows.</summary>
    internal FileIdentity? Identity { get; }

    /// <summary>Who it belongs to; null where there is nothing, and on Windows.</summary>
    internal FileAccessStatus? Access { get; }

    /// <summary>Full path of the folder that the file lies or will lie in.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(Target) ?? Target;

    /// <summary>By what a file is known again that may not be there yet: <see cref="Target"/> without links to the folder, either.</summary>
    public string Key => System.IO.Path.Combine(CanonicalPath.TryOf(Folder) ?? Folder, System.IO.Path.GetFileName(Target));

    /// <summary>Asks the host what stands at a path.</summary>
    /// <param name="path">The path; a relative one is taken from the process's current directory.</param>
    /// <exception cref="IOException">It is a link that leads in a circle, or to a file that has no path any more.</exception>
    /// <exception cref="UnauthorizedAccessException">The host lets this process not look, or not follow the link.</exception>
    public static Destination At(string path)
    {
        string full = System.IO.Path.GetFullPath(path);
        if (EndsInSeparator(full))
        {
            return new Destination(full, full, FileKind.Folder, null, null); // Whether it is there or not: no file has such a path.
        }

        return OperatingSystemInfo.IsWindows ? OnWindows(full) : OnUnix(full);
    }

    /// <summary>Makes sure that a file can be moved to the path.</summary>
    /// <param name="overwrite">Whether a file that is there may be replaced.</param>
    /// <exception cref="Qcow2Exception">Something else than a file is there, or a file that may not be replaced.</exception>
    public void EnsureReplaceable(bool overwrite)
    {
        if (Kind is not (FileKind.None or FileKind.Regular))
        {
            throw NoFile();
        }

        if (Kind == FileKind.Regular)
        {
            if (!overwrite)
            {
                throw new Qcow2Exception(Qcow2ErrorCode.DestinationExists, "The file exists already, and replacing it was not allowed.").At(Path);
            }

            ReplacementRights.Ensure(this);
        }
    }

    private Qcow2Exception NoFile() => Kind switch
    {
        FileKind.Folder => new Qcow2Exception(Qcow2ErrorCode.DestinationIsFolder, "This is a folder; name a file.").At(Path),
        FileKind.BlockDevice => new Qcow2Exception(
            Qcow2ErrorCode.DestinationIsDevice,
            "This is a block device, and a file never takes the place of one. To write a disk into it, use Convert-Qcow2Image -NoCreate -DestinationFormat Raw.").At(Path),
        _ => new Qcow2Exception(
            Qcow2ErrorCode.DestinationNotFile, $"This is {Named(Kind)}. A disk is written to a file, or with Convert-Qcow2Image -NoCreate into a block device.").At(Path),
    };

    private static string Named(FileKind kind) => kind switch
    {
        FileKind.CharacterDevice => "a character device",
        FileKind.Pipe => "a pipe",
        FileKind.Socket => "a socket",
        _ => "neither a file nor a disk",
    };

    private static Destination OnUnix(string path)
    {
        int error = FileStatus.TryRead(path, followLinks: false, out FileStatus status);
        if (error != 0)
        {
            return IsNothing(error) ? new Destination(path, path, FileKind.None, null, null) : throw Unknown(path, error);
        }

        if (status.Kind != FileKind.SymbolicLink)
        {
            return new Destination(path, path, status.Kind, status.Identity, status.Access);
        }

        // The host follows the link: it has rules for links that others have planted, which are not to be got round.
        error = FileStatus.TryRead(path, followLinks: true, out status);
        if (error != 0)
        {
            string end = IsNothing(error) ? SymbolicLinks.EndOf(path) : throw Unknown(path, error);
            return new Destination(path, end, EndsInSeparator(end) ? FileKind.Folder : FileKind.None, null, null);
        }

        string? target = CanonicalPath.TryOf(path);
        if (status.Kind == FileKind.Regular && (target is null || FileStatus.OfLink(target)?.Identity.IsProvenSameAs(status.Identity) != true))
        {
            throw new IOException($"{path}: the file that this link leads to has no name any more, so that it cannot be replaced.");
        }

        return new Destination(path, target ?? path, status.Kind, status.Identity, status.Access);
    }

    private static Destination OnWindows(string path)
    {
        if (WindowsDevices.KindOf(path) is FileKind device)
        {
            return new Destination(path, path, device, null, null);
        }

        if (Directory.Exists(path))
        {
            return new Destination(path, path, FileKind.Folder, null, null);
        }

        FileAttributes attributes;
        try
        {
            attributes = File.GetAttributes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return new Destination(path, path, FileKind.None, null, null);
        }

        if ((attributes & FileAttributes.ReparsePoint) == 0)
        {
            return new Destination(path, path, FileKind.Regular, null, null);
        }

        string target = CanonicalPath.TryOf(path) ?? throw new IOException($"{path}: this link leads to nothing that could be replaced; name the file itself.");
        return WindowsDevices.KindOf(target) is FileKind other
            ? new Destination(path, target, other, null, null)
            : new Destination(path, target, Directory.Exists(target) ? FileKind.Folder : FileKind.Regular, null, null);
    }

    private static bool IsNothing(int error) => error is LibC.ErrorNotFound or LibC.ErrorNotFolder;

    private static Exception Unknown(string path, int error)
        => error is LibC.ErrorAccess or LibC.ErrorNotPermitted
            ? new UnauthorizedAccessException($"{path}: the host does not let this process look at what is there, or follow a link there.")
            : new IOException(
                error == LibC.ErrorLoop
                    ? $"{path}: this symbolic link leads in a circle."
                    : $"{path}: the host does not say what is there ({new System.ComponentModel.Win32Exception(error).Message}).");

    private static bool EndsInSeparator(string path)
        => path.Length > 0 && (path[path.Length - 1] == System.IO.Path.DirectorySeparatorChar || path[path.Length - 1] == System.IO.Path.AltDirectorySeparatorChar);
}
