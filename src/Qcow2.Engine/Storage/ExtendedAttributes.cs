using System.Runtime.InteropServices;
using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>The extended attributes of open files, on Linux.</summary>
internal static unsafe class ExtendedAttributes
{
    private const int Attempts = 5;

    /// <summary>A name is any bytes to the host; this keeps each of them.</summary>
    private static readonly Encoding NameBytes = Encoding.GetEncoding("iso-8859-1");

    /// <summary>Those that are a file's own. What others make for themselves, or out of the bytes, is none of a copy's.</summary>
    internal static Dictionary<string, byte[]> Read(SafeHandle file)
    {
        var attributes = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        byte[] names = Filled((buffer, length) => LibC.ListAttributes(file, (byte*)buffer, length)) ?? [];
        foreach (string name in NameBytes.GetString(names).Split(['\0'], StringSplitOptions.RemoveEmptyEntries).Where(BelongsToFile))
        {
            fixed (byte* terminated = Terminated(name))
            {
                byte* key = terminated;
                if (Filled((buffer, length) => LibC.GetAttribute(file, key, (byte*)buffer, length)) is byte[] value)
                {
                    attributes[name] = value;
                }
            }
        }

        return attributes;
    }

    /// <summary>Whether an attribute says who may do what.</summary>
    internal static bool IsAccessList(string name)
        => name.StartsWith("system.", StringComparison.Ordinal) && name.EndsWith("acl", StringComparison.OrdinalIgnoreCase)
            || name == "system.posix_acl_access";

    /// <summary>Whether a file must not be without an attribute that the one it replaces had.</summary>
    internal static bool Matters(string name)
        => IsAccessList(name) || name.StartsWith("user.", StringComparison.Ordinal) || name.StartsWith("security.", StringComparison.Ordinal)
            || name.StartsWith("trusted.", StringComparison.Ordinal);

    /// <summary>A name as people see it.</summary>
    internal static string Shown(string name)
        => new([.. Encoding.UTF8.GetString(NameBytes.GetBytes(name)).Select(letter => char.IsControl(letter) ? '?' : letter)]);

    internal static bool TrySet(SafeHandle file, string name, byte[] value)
    {
        byte nothing = 0;
        fixed (byte* key = Terminated(name))
        fixed (byte* bytes = value)
        {
            return LibC.SetAttribute(file, key, bytes is null ? &nothing : bytes, value.Length, 0) == 0;
        }
    }

    internal static bool TryRemove(SafeHandle file, string name)
    {
        fixed (byte* key = Terminated(name))
        {
            return LibC.RemoveAttribute(file, key) == 0 || Marshal.GetLastWin32Error() is LibC.ErrorNoData or LibC.ErrorNotSupported;
        }
    }

    private static bool BelongsToFile(string name)
        => name switch
        {
            "security.ima" or "security.evm" => false, // Sums of the old bytes and of this very inode.
            "security.capability" => false, // What any write takes away.
            _ when name.StartsWith("trusted.overlay.", StringComparison.Ordinal) => false, // How a union mount keeps its books.
            _ when name.StartsWith("system.", StringComparison.Ordinal) => IsAccessList(name),
            _ => true,
        };

    /// <summary>Asks for the length, then for the bytes; again if it became longer between.</summary>
    private static byte[]? Filled(Func<IntPtr, nint, nint> read)
    {
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            nint length = read(IntPtr.Zero, 0);
            if (length <= 0)
            {
                return length == 0 ? [] : null;
            }

            byte[] buffer = new byte[(int)length];
            fixed (byte* bytes = buffer)
            {
                nint actual = read((IntPtr)bytes, length);
                if (actual >= 0)
                {
                    return buffer.AsSpan(0, (int)actual).ToArray();
                }
            }

            if (Marshal.GetLastWin32Error() != LibC.ErrorRange)
            {
                return null;
            }
        }

        return null;
    }

    private static byte[] Terminated(string name) => NameBytes.GetBytes(name + "\0");
}
