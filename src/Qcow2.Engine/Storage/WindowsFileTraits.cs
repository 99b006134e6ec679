using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Qcow2.Engine.Storage;

/// <summary>
/// What a file has on Windows: owner, group and access list, and whether it is hidden, a system file or to be archived. Named streams, short
/// name and time of creation are kept by <see cref="File.Replace(string, string, string)"/> itself.
/// </summary>
internal sealed class WindowsFileTraits : FileTraits
{
    private const uint OwnerAndGroup = 0x1 | 0x2; // OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION
    private const uint AccessList = 0x4; // DACL_SECURITY_INFORMATION
    private const int InsufficientBuffer = 122;
    private const int InvalidFunction = 1;
    private const int NotSupported = 50;

    /// <summary>Compression and encryption are the host's, and holes are made by how the file is written.</summary>
    private const FileAttributes KeptAttributes = FileAttributes.Hidden | FileAttributes.System | FileAttributes.Archive | FileAttributes.NotContentIndexed;

    private readonly byte[] _owner;
    private readonly byte[] _accessList;
    private readonly FileAttributes _attributes;

    private WindowsFileTraits(byte[] owner, byte[] accessList, FileAttributes attributes)
    {
        _owner = owner;
        _accessList = accessList;
        _attributes = attributes;
    }

    internal static WindowsFileTraits Read(string path)
        => new(Security(path, OwnerAndGroup), Security(path, AccessList), File.GetAttributes(path) & KeptAttributes);

    internal override void GiveTo(LocalFile file, string? path, string replaced)
    {
        path ??= file.Path; // There, a file has a name at any time.
        WindowsFileTraits now = Read(path);
        // To give files to others takes a privilege that even administrators have to switch on. Who may do what says the access list.
        _ = now._owner.AsSpan().SequenceEqual(_owner) || SetFileSecurity(path, OwnerAndGroup, _owner);
        if (!now._accessList.AsSpan().SequenceEqual(_accessList) && !SetFileSecurity(path, AccessList, _accessList))
        {
            throw CannotKeep("the access list", replaced);
        }

        if (now._attributes != _attributes)
        {
            File.SetAttributes(path, (File.GetAttributes(path) & ~KeptAttributes) | _attributes);
        }
    }

    internal override bool IsSameAs(FileTraits other)
        => other is WindowsFileTraits windows && windows._attributes == _attributes && windows._accessList.AsSpan().SequenceEqual(_accessList);

    /// <summary>A security descriptor that points to nothing outside of itself; empty on file systems without any.</summary>
    private static byte[] Security(string path, uint information)
    {
        byte[] descriptor = [];
        while (!GetFileSecurity(path, information, descriptor, (uint)descriptor.Length, out uint needed))
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
