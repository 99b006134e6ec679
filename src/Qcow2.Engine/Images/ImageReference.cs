using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// Turns a file name out of an image's header into the path of a local file, within the caller's
/// <see cref="ReferencePolicy"/>. Names of other sorts (<c>json:</c>, <c>nbd:</c>, <c>http:</c>) are never opened.
/// </summary>
internal static class ImageReference
{
    private const string FileProtocol = "file:";

    /// <summary>Resolves a name, without asking whether the file exists.</summary>
    /// <param name="name">The name as stored.</param>
    /// <param name="imagePath">The image that stores it; a relative name starts from its folder.</param>
    /// <returns>The full path, or null if the name is not that of a local file.</returns>
    internal static string? TryResolve(string name, string imagePath)
    {
        if (name.StartsWith(FileProtocol, StringComparison.OrdinalIgnoreCase))
        {
            name = name.Substring(FileProtocol.Length);
        }

        if (name.Length == 0 || name.AsSpan().IndexOf('\0') >= 0 || HasProtocol(name) || IsForeignNetworkPath(name, imagePath))
        {
            return null;
        }

        string folder = System.IO.Path.GetDirectoryName(imagePath) ?? imagePath;
        return System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, name));
    }

    /// <summary>Resolves a name and checks that the policy lets it be opened.</summary>
    /// <exception cref="Qcow2Exception">It is not a local file, or the policy refuses it.</exception>
    internal static string Resolve(string name, string imagePath, string role, ReferencePolicy policy)
    {
        string shown = FormatText.Printable(name);
        if (policy is ReferencePolicy.ForbidPolicy)
        {
            throw Forbidden(imagePath, $"The image names the {role} '{shown}', and opening other files is forbidden here.");
        }

        string path = TryResolve(name, imagePath)
            ?? throw Forbidden(imagePath, $"The image names the {role} '{shown}', which is not the path of a local file; nothing else is ever opened.");

        if (policy is not ReferencePolicy.ConfinePolicy confine)
        {
            return path;
        }

        string? folder = CanonicalPath.TryOf(confine.Folder);
        string? canonical = CanonicalPath.TryOf(path);
        if (canonical is null)
        {
            // It does not exist, which the open will say better; but a name that points outside is refused before that.
            return IsInside(path, confine.Folder) ? path : throw Outside();
        }

        return folder is not null && IsInside(canonical, folder) ? canonical : throw Outside();

        Qcow2Exception Outside()
            => Forbidden(imagePath, $"The image names the {role} '{shown}', which lies outside of the folder '{confine.Folder}'.");
    }

    private static Qcow2Exception Forbidden(string imagePath, string message)
        => new Qcow2Exception(Qcow2ErrorCode.ReferenceForbidden, message).At(imagePath);

    private static bool IsInside(string path, string folder)
    {
        string prefix = folder.TrimEnd(System.IO.Path.DirectorySeparatorChar) + System.IO.Path.DirectorySeparatorChar;
        return path.StartsWith(prefix, OperatingSystemInfo.IsWindows ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    /// <summary>As QEMU sees it: a colon before the first slash makes a protocol, but for a drive letter on Windows.</summary>
    private static bool HasProtocol(string name)
    {
        int colon = name.IndexOf(':');
        if (colon < 0 || (OperatingSystemInfo.IsWindows && colon == 1))
        {
            return false;
        }

        int slash = name.IndexOfAny(['/', '\\']);
        return slash < 0 || colon < slash;
    }

    /// <summary>
    /// On Windows, opening <c>\\server\share</c> sends the user's credentials to the server. A name may lead to a server
    /// only if the image itself lies on it.
    /// </summary>
    private static bool IsForeignNetworkPath(string name, string imagePath)
    {
        if (!OperatingSystemInfo.IsWindows || !(name.StartsWith(@"\\", StringComparison.Ordinal) || name.StartsWith("//", StringComparison.Ordinal)))
        {
            return false;
        }

        string server = ServerOf(name);
        return !imagePath.StartsWith(@"\\", StringComparison.Ordinal)
            || !string.Equals(server, ServerOf(imagePath), StringComparison.OrdinalIgnoreCase);
    }

    private static string ServerOf(string path) => path.TrimStart('\\', '/').Split('\\', '/')[0];
}
