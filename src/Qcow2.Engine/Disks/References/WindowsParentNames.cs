namespace Qcow2.Engine.Disks.References;

/// <summary>Names of parents that a machine with Windows wrote, as paths of this host.</summary>
internal static class WindowsParentNames
{
    /// <summary>The names as paths of a host; and last, for a pair that was copied from elsewhere, the names of the files alone.</summary>
    /// <param name="names">The names that the child has, in the order in which to look.</param>
    /// <param name="isWindows">Whether the host is Windows. Others have no drives, and know no backslashes.</param>
    internal static IReadOnlyList<string> AsPaths(IReadOnlyList<string> names, bool isWindows)
    {
        var paths = new List<string>();
        foreach (string name in names)
        {
            if (isWindows || !IsWholePathOfWindows(name))
            {
                Add(paths, isWindows ? name : name.Replace('\\', '/'));
            }
        }

        foreach (string name in names)
        {
            Add(paths, name.Substring(name.LastIndexOfAny(['\\', '/']) + 1));
        }

        return paths;
    }

    private static bool IsWholePathOfWindows(string name)
        => name.StartsWith(@"\\", StringComparison.Ordinal) || (name.Length > 1 && name[1] == ':');

    private static void Add(List<string> names, string name)
    {
        if (name.Length > 0 && !names.Contains(name))
        {
            names.Add(name);
        }
    }
}
