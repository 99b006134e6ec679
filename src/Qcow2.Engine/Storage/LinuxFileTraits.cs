namespace Qcow2.Engine.Storage;

/// <summary>What a file has on Linux.</summary>
internal sealed class LinuxFileTraits : FileTraits
{
    private const uint OwnerOnly = 0x180; // rw-------
    private const int ReadWriteExecute = 0x1ff;

    // FS_COMPR_FL, FS_SYNC_FL, FS_NODUMP_FL, FS_NOATIME_FL, FS_NOCOMP_FL, FS_JOURNAL_DATA_FL, FS_NOCOW_FL: what people set with chattr.
    private const int KeptFlags = 0x4 | 0x8 | 0x40 | 0x80 | 0x400 | 0x4000 | 0x80_0000;

    private readonly FileAccessStatus _access;
    private readonly Dictionary<string, byte[]> _attributes;
    private readonly int _flags;

    private LinuxFileTraits(FileAccessStatus access, Dictionary<string, byte[]> attributes, int flags)
    {
        _access = access;
        _attributes = attributes;
        _flags = flags;
    }

    internal static LinuxFileTraits Read(LocalFile file)
        => new(
            FileStatus.OfDescriptorOn(file.Handle)?.Access ?? throw new IOException($"{file.Path}: the host does not say who the file belongs to."),
            ExtendedAttributes.Read(file.Handle),
            FlagsOf(file));

    internal override void GiveTo(LocalFile file, string? path, string replaced)
    {
        LinuxFileTraits now = Read(file);
        GiveFlags(file, now._flags);
        if (IsSameAs(now))
        {
            return;
        }

        // Nobody but the owner, until all is as it was; an access list that the folder gave means nothing under this mode. File systems
        // without modes refuse, and have nothing to lose.
        _ = LibC.ChangeMode(file.Handle, OwnerOnly);
        if ((now._access.User != _access.User || now._access.Group != _access.Group) && LibC.ChangeOwner(file.Handle, _access.User, _access.Group) != 0)
        {
            throw CannotKeep($"the owner and the group (user {_access.User}, group {_access.Group})", replaced);
        }

        // The access list last, because it can take this process's own right to set others; and before the mode, which sets a part of it.
        foreach (KeyValuePair<string, byte[]> attribute in _attributes.OrderBy(one => ExtendedAttributes.IsAccessList(one.Key)))
        {
            if (!Has(now, attribute) && !ExtendedAttributes.TrySet(file.Handle, attribute.Key, attribute.Value) && ExtendedAttributes.Matters(attribute.Key))
            {
                throw CannotKeep($"the attribute '{ExtendedAttributes.Shown(attribute.Key)}'", replaced);
            }
        }

        foreach (string name in now._attributes.Keys.Where(name => ExtendedAttributes.IsAccessList(name) && !_attributes.ContainsKey(name)))
        {
            if (!ExtendedAttributes.TryRemove(file.Handle, name))
            {
                throw CannotKeep("the access list", replaced);
            }
        }

        _ = LibC.ChangeMode(file.Handle, (uint)_access.Permissions);
        if (!HasSameAccess(Read(file)))
        {
            throw CannotKeep("the owner, the mode and the access list", replaced);
        }
    }

    internal override bool IsSameAs(FileTraits other)
        => other is LinuxFileTraits linux && HasSameAccess(linux) && _attributes.All(attribute => Has(linux, attribute));

    private bool HasSameAccess(LinuxFileTraits other)
        => _access.User == other._access.User && _access.Group == other._access.Group
            && (_access.Permissions & ReadWriteExecute) == (other._access.Permissions & ReadWriteExecute)
            && _attributes.Where(attribute => ExtendedAttributes.IsAccessList(attribute.Key)).All(attribute => Has(other, attribute))
            && other._attributes.Keys.Where(ExtendedAttributes.IsAccessList).All(_attributes.ContainsKey);

    private static bool Has(LinuxFileTraits traits, KeyValuePair<string, byte[]> attribute)
        => traits._attributes.TryGetValue(attribute.Key, out byte[]? value) && value.AsSpan().SequenceEqual(attribute.Value);

    /// <summary>Only an empty file can be told not to be copied on writing, and not every file system knows such flags: they are wishes.</summary>
    private void GiveFlags(LocalFile file, int now)
    {
        int wanted = (now & ~KeptFlags) | (_flags & KeptFlags);
        if (wanted != now && file.Length == 0)
        {
            SetFlags(file, wanted);
        }
    }

    private static unsafe int FlagsOf(LocalFile file)
    {
        int flags = 0;
        return LibC.DeviceControl(file.Handle, LibC.GetInodeFlags, &flags) == 0 ? flags : 0;
    }

    private static unsafe void SetFlags(LocalFile file, int flags) => _ = LibC.DeviceControl(file.Handle, LibC.SetInodeFlags, &flags);
}
