namespace Qcow2.Engine.Storage;

/// <summary>What a file has on macOS, where the system itself copies access lists and extended attributes from one open file to another.</summary>
/// <param name="source">The file that has it; it stays open.</param>
/// <param name="access">Its owner and mode.</param>
internal sealed class MacFileTraits(LocalFile source, FileAccessStatus? access) : FileTraits
{
    private const uint OwnerOnly = 0x180; // rw-------

    private readonly FileAccessStatus? _access = access;

    internal override void GiveTo(LocalFile file, string? path, string replaced)
    {
        if (_access is not FileAccessStatus wanted)
        {
            throw CannotKeep("the owner and the mode", replaced);
        }

        _ = LibC.ChangeMode(file.Handle, OwnerOnly);
        FileAccessStatus? now = path is null ? null : FileStatus.OfPath(path)?.Access;
        if ((now?.User != wanted.User || now?.Group != wanted.Group) && LibC.ChangeOwner(file.Handle, wanted.User, wanted.Group) != 0)
        {
            throw CannotKeep($"the owner and the group (user {wanted.User}, group {wanted.Group})", replaced);
        }

        if (LibC.CopyAttributes(source.Handle, file.Handle, IntPtr.Zero, LibC.MacCopyAccessList | LibC.MacCopyAttributes) != 0)
        {
            throw CannotKeep("the access list and the extended attributes", replaced);
        }

        if (LibC.ChangeMode(file.Handle, (uint)wanted.Permissions) != 0)
        {
            throw CannotKeep("the mode", replaced);
        }
    }

    /// <summary>Never, because lists and attributes are not read here: they are copied once more, which changes nothing where they are the same.</summary>
    internal override bool IsSameAs(FileTraits other) => false;
}
