using System.Runtime.InteropServices;
using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>Where symbolic links lead to that lead to nothing yet, on Linux and macOS.</summary>
internal static unsafe class SymbolicLinks
{
    private const int MaxLinks = 40; // The host's own limit.
    private const int MaxTargetBytes = 4096;

    /// <summary>The path of the file that would be made, if a program made one through the link.</summary>
    /// <exception cref="IOException">The links changed meanwhile, and now lead in a circle.</exception>
    internal static string EndOf(string path)
    {
        string current = path;
        for (int count = 0; count < MaxLinks; count++)
        {
            if (FileStatus.OfLink(current) is not { Kind: FileKind.SymbolicLink } || Read(current) is not string next)
            {
                return current;
            }

            // What ".." means is known only when the links before it are resolved.
            string folder = System.IO.Path.GetDirectoryName(current) ?? "/";
            string joined = System.IO.Path.Combine(CanonicalPath.TryOf(folder) ?? folder, next);
            if (joined[joined.Length - 1] == '/')
            {
                return joined; // The name of a folder.
            }

            string parent = System.IO.Path.GetDirectoryName(joined) ?? "/";
            current = System.IO.Path.Combine(CanonicalPath.TryOf(parent) ?? System.IO.Path.GetFullPath(parent), System.IO.Path.GetFileName(joined));
        }

        throw new IOException($"{path}: this symbolic link leads in a circle.");
    }

    private static string? Read(string path)
    {
        byte[] target = new byte[MaxTargetBytes];
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        fixed (byte* buffer = target)
        {
            int length = (int)LibC.ReadLink(name, buffer, MaxTargetBytes);
            return length <= 0 || length == MaxTargetBytes ? null : Encoding.UTF8.GetString(target, 0, length);
        }
    }
}
