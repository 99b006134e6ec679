namespace Qcow2.Engine.Disks.References;

/// <summary>The rules by which a host reads a path.</summary>
internal enum PathRules
{
    Unix,
    Windows,
}

/// <summary>
/// Where a name out of an image's header leads, as a file of this machine. No file is looked at: the name is brought into the form
/// that the host will open, and judged by that.
/// </summary>
internal static class ReferenceName
{
    private const string FileProtocol = "file:";

    /// <summary>The rules of this host.</summary>
    internal static PathRules HostRules => OperatingSystemInfo.IsWindows ? PathRules.Windows : PathRules.Unix;

    /// <summary>Resolves a name.</summary>
    /// <param name="name">The name as stored.</param>
    /// <param name="imagePath">Full path of the image that stores it; a relative name starts from its folder.</param>
    /// <param name="rules">The host's rules.</param>
    /// <param name="refusal">What is wrong with the name, as "which …" goes on; null where nothing is.</param>
    /// <returns>The full path; null if the name is not that of a file of this machine.</returns>
    internal static string? TryResolve(string name, string imagePath, PathRules rules, out string? refusal)
    {
        if (name.StartsWith(FileProtocol, StringComparison.OrdinalIgnoreCase))
        {
            name = name.Substring(FileProtocol.Length);
        }

        refusal = name.Length == 0 ? "is empty"
            : name.Contains('\0') ? "holds a zero byte"
            : HasProtocol(name, rules) ? "names a protocol and not the path of a local file"
            : null;
        if (refusal is not null)
        {
            return null;
        }

        if (rules == PathRules.Windows)
        {
            return WindowsReferenceName.TryResolve(name, imagePath, out refusal);
        }

        string folder = System.IO.Path.GetDirectoryName(imagePath) ?? imagePath;
        return System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, name));
    }

    /// <summary>Whether a full path lies below a folder, by the names alone. Both have their links resolved, or none.</summary>
    internal static bool IsInside(string path, string folder, PathRules rules)
    {
        bool isWindows = rules == PathRules.Windows;
        char separator = isWindows ? '\\' : '/';
        string prefix = folder.TrimEnd(separator) + separator;
        return path.StartsWith(prefix, isWindows ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    /// <summary>As QEMU sees it: a colon before the first slash makes a protocol, but for a drive letter on Windows.</summary>
    private static bool HasProtocol(string name, PathRules rules)
    {
        int colon = name.IndexOf(':');
        if (colon < 0 || (rules == PathRules.Windows && colon == 1 && WindowsReferenceName.IsDriveLetter(name[0])))
        {
            return false;
        }

        int slash = rules == PathRules.Windows ? name.IndexOfAny(['/', '\\']) : name.IndexOf('/');
        return slash < 0 || colon < slash;
    }
}
