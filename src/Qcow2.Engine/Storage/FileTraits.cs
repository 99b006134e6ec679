namespace Qcow2.Engine.Storage;

/// <summary>
/// What a file has beside its bytes, and what a file that replaces it must have, too: owner, group, mode, access list, extended attributes with
/// the labels of SELinux among them, on Windows owner and access list.
/// </summary>
internal abstract class FileTraits
{
    /// <summary>Reads what a file has.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="file">The file, open for reading, and longer so than the traits are used.</param>
    internal static FileTraits Of(string path, LocalFile file)
        => OperatingSystemInfo.IsWindows ? WindowsFileTraits.Read(path)
            : LibC.IsLinux ? LinuxFileTraits.Read(file)
            : new MacFileTraits(file, FileStatus.OfPath(path)?.Access);

    /// <summary>Gives it all to a file that is being written. At no time does that file grant more than the old one, or its owner's reading and writing.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="path">Its path; null while it has none.</param>
    /// <param name="replaced">The path of what it is to replace, for errors.</param>
    /// <exception cref="Qcow2Exception">The host does not let this process give the file something that matters.</exception>
    internal abstract void GiveTo(LocalFile file, string? path, string replaced);

    /// <summary>Whether a file that was given the one has the other.</summary>
    internal abstract bool IsSameAs(FileTraits other);

    private protected static Qcow2Exception CannotKeep(string what, string replaced)
        => new Qcow2Exception(
            Qcow2ErrorCode.DestinationProtected,
            $"The new file could not be given {what} of the file that it is to replace, which was left as it is. "
            + "Write to another name, run this as a user who may do that, or delete the old file first if nothing of it matters.").At(replaced);
}
