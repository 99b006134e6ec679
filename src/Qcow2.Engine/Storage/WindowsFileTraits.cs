using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>
/// What a file has on Windows: owner, group and access list, whether it is hidden, a system file or to be archived, compressed by the file system,
/// its time of creation, and named streams. Its short name (8.3) and its object id stay with the old file.
/// </summary>
internal sealed class WindowsFileTraits : FileTraits
{
    private const uint OwnerAndGroup = 0x1 | 0x2; // OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION
    private const uint AccessList = 0x4; // DACL_SECURITY_INFORMATION
    private const int InsufficientBuffer = 122;
    private const int InvalidFunction = 1;
    private const int NotSupported = 50;

    /// <summary>Holes are made by how the file is written.</summary>
    private const FileAttributes KeptAttributes = FileAttributes.Hidden | FileAttributes.System | FileAttributes.Archive | FileAttributes.NotContentIndexed;

    private readonly string _path;
    private readonly byte[] _owner;
    private readonly byte[] _accessList;
    private readonly FileAttributes _attributes;
    private readonly DateTime _created;
    private readonly IReadOnlyList<(string Name, long Size)> _streams;

    private WindowsFileTraits(string path, byte[] owner, byte[] accessList, FileAttributes attributes, DateTime created, IReadOnlyList<(string Name, long Size)> streams)
    {
        _path = path;
        _owner = owner;
        _accessList = accessList;
        _attributes = attributes;
        _created = created;
        _streams = streams;
    }

    internal static WindowsFileTraits Read(string path)
        => new(path, Security(path, OwnerAndGroup), Security(path, AccessList), File.GetAttributes(path), File.GetCreationTimeUtc(path), WindowsStreams.Of(path));

    internal override void GiveTo(LocalFile file, string? path, string replaced)
    {
        path ??= file.Path; // There, a file has a name at any time.
        WindowsFileTraits now = Read(path);
        // To give files to others takes a privilege that even administrators have to switch on. Who may do what says the access list.
        _ = now._owner.AsSpan().SequenceEqual(_owner) || SetFileSecurity(WindowsPath.ForHost(path), OwnerAndGroup, _owner);
        if (!now._accessList.AsSpan().SequenceEqual(_accessList) && !SetFileSecurity(WindowsPath.ForHost(path), AccessList, _accessList))
        {
            throw CannotKeep("the access list", replaced);
        }

        if (HasLost(FileAttributes.Encrypted, now))
        {
            throw CannotKeep("the encryption (EFS)", replaced); // The host encrypts only files that nobody has open.
        }

        if (HasLost(FileAttributes.Compressed, now) && !file.IsOrdinary)
        {
            WindowsSparseFile.TryCompress(file.Handle, isCompressed: true); // Without that it would be larger, and all the same.
        }

        foreach ((string name, _) in _streams)
        {
            CopyStream(name, path, replaced);
        }

        File.SetCreationTimeUtc(path, _created);
        if ((now._attributes & KeptAttributes) != (_attributes & KeptAttributes))
        {
            File.SetAttributes(path, (File.GetAttributes(path) & ~KeptAttributes) | (_attributes & KeptAttributes));
        }
    }

    internal override bool IsSameAs(FileTraits other)
        => other is WindowsFileTraits windows && (windows._attributes & KeptAttributes) == (_attributes & KeptAttributes)
            && windows._accessList.AsSpan().SequenceEqual(_accessList) && windows._streams.SequenceEqual(_streams);

    private bool HasLost(FileAttributes attribute, WindowsFileTraits now) => (_attributes & attribute) != 0 && (now._attributes & attribute) == 0;

    private void CopyStream(string name, string path, string replaced)
    {
        try
        {
            WindowsStreams.Copy(_path, path, name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotKeep($"the stream {name}", replaced);
        }
    }

    /// <summary>A security descriptor that points to nothing outside of itself; empty on file systems without any.</summary>
    private static byte[] Security(string path, uint information)
    {
        byte[] descriptor = [];
        while (!GetFileSecurity(WindowsPath.ForHost(path), information, descriptor, (uint)descriptor.Length, out uint needed))
        {
            int error = Marshal.GetLastWin32Error();
            if (error is InvalidFunction or NotSupported)
            {
                return [];
            }

            if (error != InsufficientBuffer || needed <= descriptor.Length)
            {
                throw new IOException($"{path}: the host does not say who may use the file ({new Win32Exception(error).Message.TrimEnd('.')}).");
            }

            descriptor = new byte[needed];
        }

        return descriptor;
    }

    [DllImport("advapi32", EntryPoint = "GetFileSecurityW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetFileSecurity(string path, uint information, [Out] byte[] descriptor, uint length, out uint needed);

    [DllImport("advapi32", EntryPoint = "SetFileSecurityW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool SetFileSecurity(string path, uint information, byte[] descriptor);
}
