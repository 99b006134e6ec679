using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>What the host knows of a file beyond its length.</summary>
/// <param name="Identity">Which file it is.</param>
/// <param name="Kind">What sort of file it is.</param>
/// <param name="AllocatedLength">Bytes it takes on its disk; null where the host does not say.</param>
/// <param name="Access">Who it belongs to, and what they may do; null on Windows.</param>
internal readonly record struct FileStatus(FileIdentity Identity, FileKind Kind, long? AllocatedLength, FileAccessStatus? Access = null)
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int DoNotFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int OfDescriptor = 0x1000; // AT_EMPTY_PATH
    private const uint BasicStatistics = 0x7ff; // STATX_BASIC_STATS
    private const int BlockUnit = 512;
    private const int KindMask = 0xf000; // S_IFMT

    /// <summary>Asks about a path, so that a pipe is known as one before an open that would wait on it for ever; null where nothing is known.</summary>
    internal static FileStatus? OfPath(string path) => TryRead(path, followLinks: true, out FileStatus status) == 0 ? status : null;

    /// <summary>Asks about a path and does not follow a symbolic link; null where nothing is known.</summary>
    internal static FileStatus? OfLink(string path) => TryRead(path, followLinks: false, out FileStatus status) == 0 ? status : null;

    /// <summary>Asks about a path, on Linux and macOS.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="followLinks">Whether a symbolic link stands for what it leads to.</param>
    /// <param name="status">What the host knows.</param>
    /// <returns>0, or the host's number of the error; -1 on Windows, which is not asked here.</returns>
    internal static unsafe int TryRead(string path, bool followLinks, out FileStatus status)
    {
        status = default;
        fixed (byte* name = Terminated(path))
        {
            if (LibC.IsLinux)
            {
                LibC.StatXBuffer buffer;
                if (LibC.StatX(CurrentDirectory, name, followLinks ? 0 : DoNotFollow, BasicStatistics, &buffer) != 0)
                {
                    return Marshal.GetLastWin32Error();
                }

                status = From(buffer);
                return 0;
            }

            if (!LibC.IsMacOS)
            {
                return -1;
            }

            LibC.MacStat other;
            bool isIntel = RuntimeInformation.ProcessArchitecture == Architecture.X64;
            int result = (followLinks, isIntel) switch
            {
                (true, true) => LibC.StatX64(name, &other),
                (true, false) => LibC.StatArm64(name, &other),
                (false, true) => LibC.LinkStatX64(name, &other),
                (false, false) => LibC.LinkStatArm64(name, &other),
            };
            if (result != 0)
            {
                return Marshal.GetLastWin32Error();
            }

            status = From(other);
            return 0;
        }
    }

    /// <summary>Asks about an open file, on Linux.</summary>
    internal static unsafe FileStatus? OfDescriptorOn(SafeHandle file)
    {
        LibC.StatXBuffer buffer;
        byte nothing = 0;
        return LibC.StatXOpen(file, &nothing, OfDescriptor, BasicStatistics, &buffer) == 0 ? From(buffer) : null;
    }

    /// <summary>Asks about an open file, on Windows.</summary>
    internal static FileStatus OfHandle(SafeFileHandle handle)
        => new(WindowsFileStatus.IdentityOf(handle), FileKind.Regular, WindowsFileStatus.AllocatedLengthOf(handle));

    /// <summary>How many names (hard links) a file has; null on Windows, and where there is no file.</summary>
    internal static long? LinksOf(string path) => OfPath(path)?.Access?.Links;

    private static FileStatus From(in LibC.StatXBuffer buffer)
        => new(
            new FileIdentity(((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor, buffer.Inode),
            KindOf(buffer.Mode),
            (long)buffer.Blocks * BlockUnit,
            new FileAccessStatus(
                buffer.User, buffer.Group, buffer.Mode, buffer.Links,
                (buffer.Attributes & LibC.AttributeImmutable) != 0, (buffer.Attributes & LibC.AttributeAppendOnly) != 0,
                (buffer.Attributes & LibC.AttributeMountPoint) != 0));

    private static FileStatus From(in LibC.MacStat buffer)
        => new(
            new FileIdentity((ulong)(uint)buffer.Device, buffer.Inode),
            KindOf(buffer.Mode),
            buffer.Blocks * BlockUnit,
            new FileAccessStatus(
                buffer.User, buffer.Group, buffer.Mode, buffer.Links,
                (buffer.Flags & LibC.MacFlagsImmutable) != 0, (buffer.Flags & LibC.MacFlagsAppendOnly) != 0));

    private static FileKind KindOf(ushort mode) => (mode & KindMask) switch
    {
        0x8000 => FileKind.Regular,
        0x6000 => FileKind.BlockDevice,
        0x4000 => FileKind.Folder,
        0x2000 => FileKind.CharacterDevice,
        0x1000 => FileKind.Pipe,
        0xc000 => FileKind.Socket,
        0xa000 => FileKind.SymbolicLink,
        _ => FileKind.Other,
    };

    private static byte[] Terminated(string path) => Encoding.UTF8.GetBytes(path + "\0");
}

/// <summary>Who a file belongs to, and what keeps it from being changed, on Linux and macOS.</summary>
/// <param name="User">Number of the user.</param>
/// <param name="Group">Number of the group.</param>
/// <param name="Mode">Its mode, the kind of file included.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="IsImmutable">Whether nobody may change, rename or delete it (<c>chattr +i</c>).</param>
/// <param name="IsAppendOnly">Whether it may only grow (<c>chattr +a</c>).</param>
/// <param name="IsMountPoint">Whether something is mounted at this very path, as single files are in containers; only Linux says that.</param>
internal readonly record struct FileAccessStatus(
    uint User, uint Group, ushort Mode, long Links, bool IsImmutable, bool IsAppendOnly, bool IsMountPoint = false)
{
    private const ushort PermissionBits = 0xfff;
    private const ushort StickyBit = 0x200;

    /// <summary>The mode without the kind of file.</summary>
    internal int Permissions => Mode & PermissionBits;

    /// <summary>Whether, of a folder, only who owns a file may rename or delete it.</summary>
    internal bool IsSticky => (Mode & StickyBit) != 0;
}
