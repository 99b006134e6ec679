using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Turns what the user typed into full paths of the file system, as the session sees it: its current location, its drives.
/// .NET never sees a relative path, because the process's current directory is not the session's.
/// </summary>
internal sealed class PathResolver(PathIntrinsics paths)
{
    private const string FileSystem = "FileSystem";

    /// <summary>Resolves a path that is taken as it stands. The file need not exist.</summary>
    /// <exception cref="ImageCmdletException">The path is not one of the file system.</exception>
    /// <exception cref="SessionStateException">The path names a drive or provider that is not there.</exception>
    internal string Literal(string path)
    {
        string resolved = paths.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
        RequireFileSystem(path, provider);
        return resolved;
    }

    /// <summary>
    /// Resolves a path that may have wildcards. Folders that a wildcard matches are left out, and matching nothing is no
    /// error; without wildcards, the path must lead to something.
    /// </summary>
    /// <exception cref="ImageCmdletException">The path is not one of the file system.</exception>
    /// <exception cref="SessionStateException">The path names nothing, or a drive or provider that is not there.</exception>
    internal IEnumerable<string> Wildcard(string path)
    {
        Collection<string> resolved = paths.GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider);
        RequireFileSystem(path, provider);
        return WildcardPattern.ContainsWildcardCharacters(path) ? resolved.Where(file => !Directory.Exists(file)) : resolved;
    }

    private static void RequireFileSystem(string path, ProviderInfo provider)
    {
        if (!string.Equals(provider.Name, FileSystem, StringComparison.OrdinalIgnoreCase))
        {
            throw ImageCmdletException.NotFileSystem(path, provider.Name);
        }
    }
}
