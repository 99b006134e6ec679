namespace Qcow2.Engine.Storage;

/// <summary>What the host would refuse only at the very end, when a file that took hours is moved over another one. It is asked before.</summary>
internal static class ReplacementRights
{
    /// <summary>Refuses what cannot be replaced by a rename.</summary>
    /// <param name="destination">A regular file.</param>
    /// <exception cref="Qcow2Exception">The file or its folder is protected.</exception>
    internal static void Ensure(Destination destination)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            Refuse(destination, (File.GetAttributes(destination.Target) & FileAttributes.ReadOnly) != 0, "The file is read-only. Clear that attribute (Set-ItemProperty -Name IsReadOnly -Value $false) if it is to be replaced.");
            return;
        }

        if (destination.Access is not FileAccessStatus file || FileStatus.OfPath(destination.Folder)?.Access is not FileAccessStatus folder)
        {
            return;
        }

        Refuse(destination, file.IsImmutable, "The file is immutable, so that nothing can take its place. Clear that (chattr -i, on macOS chflags nouchg) if it is to be replaced.");
        Refuse(destination, file.IsAppendOnly, "The file is append-only, so that nothing can take its place. Clear that (chattr -a, on macOS chflags nouappnd) if it is to be replaced.");
        Refuse(
            destination,
            file.IsMountPoint,
            "The file is a mount point, as single files are that a container was given, so that nothing can take its place. Write to another name, or mount the folder and not the file.");
        Refuse(destination, folder.IsImmutable || folder.IsAppendOnly, "The folder is immutable or append-only, so that no file in it can be replaced.");
        uint user = LibC.EffectiveUser();
        Refuse(
            destination,
            folder.IsSticky && user != 0 && user != file.User && user != folder.User,
            "The file belongs to another user, and the folder lets only that one replace it (it is sticky). Choose another name.");
    }

    private static void Refuse(Destination destination, bool isProtected, string message)
    {
        if (isProtected)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.DestinationProtected, message).At(destination.Path);
        }
    }
}
