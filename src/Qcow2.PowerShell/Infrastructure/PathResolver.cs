using System.Collections.ObjectModel;
using System.Management.Automation;
using Qcow2.Engine.Http;

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
        try
        {
            string resolved = paths.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
            RequireFileSystem(path, provider);
            return IsWindows && WindowsTypedPath.ProblemOf(resolved, isNew: false) is string problem ? throw ImageCmdletException.PathInvalid(problem) : resolved;
        }
        catch (System.Management.Automation.DriveNotFoundException e)
        {
            throw Explained(e, path);
        }
    }

    private static bool IsWindows => System.IO.Path.DirectorySeparatorChar == '\\';

    /// <summary>What is before a colon is a drive to PowerShell; a person may have meant the name of a file, or a stream of one.</summary>
    private static System.Management.Automation.DriveNotFoundException Explained(System.Management.Automation.DriveNotFoundException error, string path)
    {
        if (HttpAddress.IsLike(path))
        {
            return new($"{error.Message} This is the address of a file on a server, which Get-Qcow2Image -Uri, Convert-Qcow2Image -Uri and other cmdlets take that only read. Or download the file first.", error);
        }

        int colon = path.IndexOf(':');
        return colon < 1 ? error : new($"{error.Message} PowerShell takes what is before a colon for a drive. {(IsWindows
            ? $"If a stream of the file {path.Substring(0, colon)} is meant: an image is a file of its own; copy the stream to one."
            : $"If a file with a colon in its name is meant, say where it lies: ./{path}")}", error);
    }

    /// <summary>
    /// Resolves a path that may have wildcards. Folders that a wildcard matches are left out. Where it matches nothing, a file of that very
    /// name is meant, or those in a folder of that very name: people do not think of brackets as wildcards.
    /// </summary>
    /// <exception cref="ImageCmdletException">The path is not one of the file system.</exception>
    /// <exception cref="SessionStateException">The path names nothing, or a drive or provider that is not there.</exception>
    internal IEnumerable<string> Wildcard(string path)
    {
        bool hasWildcards = WildcardPattern.ContainsWildcardCharacters(path);
        if (!hasWildcards)
        {
            Literal(path); // Says what is wrong with the path itself.
        }

        Collection<string> resolved = Matches(path, hasWildcards);
        string[] files = hasWildcards ? FilesOf(resolved) : [.. resolved];
        if (files.Length > 0 || !hasWildcards)
        {
            return files;
        }

        if (InLiteralFolder(path) is { Length: > 0 } inFolder)
        {
            return inFolder;
        }

        string literal = Literal(path);
        return File.Exists(literal) ? [literal]
            : Directory.Exists(literal) ? throw ImageCmdletException.PathIsFolder(literal)
            : throw new ItemNotFoundException(resolved.Count == 0
                ? $"Cannot find path '{literal}': nothing matches it, and nothing has that name."
                : $"Cannot find path '{literal}': only folders match it.");
    }

    private static string[] FilesOf(Collection<string> matches) => [.. matches.Where(match => !Directory.Exists(match))];

    private Collection<string> Matches(string path, bool mayMatchNothing)
    {
        try
        {
            Collection<string> resolved = paths.GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider);
            RequireFileSystem(path, provider);
            return resolved;
        }
        catch (System.Management.Automation.DriveNotFoundException e)
        {
            throw Explained(e, path);
        }
        catch (Exception e) when (mayMatchNothing && e is WildcardPatternException or ItemNotFoundException)
        {
            // A bracket that is not closed, or a folder that is not there: it may still be a name as it stands.
            return [];
        }
    }

    /// <summary>What matches in a folder whose name only looks like a pattern.</summary>
    private string[] InLiteralFolder(string path)
    {
        string folder = paths.ParseParent(path, "");
        return WildcardPattern.ContainsWildcardCharacters(folder) && Directory.Exists(Literal(folder))
            ? FilesOf(Matches(paths.Combine(WildcardPattern.Escape(folder), paths.ParseChildName(path)), mayMatchNothing: true))
            : [];
    }

    private static void RequireFileSystem(string path, ProviderInfo provider)
    {
        if (!string.Equals(provider.Name, FileSystem, StringComparison.OrdinalIgnoreCase))
        {
            throw ImageCmdletException.NotFileSystem(path, provider.Name);
        }
    }
}
