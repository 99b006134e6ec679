using System.Text;
using Qcow2.HelpGenerator.Model;
using Qcow2.HelpGenerator.Output;

namespace Qcow2.HelpGenerator;

/// <summary>The files of help in the repository, and what is in them.</summary>
public static class HelpFiles
{
    /// <summary>The file that Get-Help reads.</summary>
    public const string Maml = "src/Qcow2.PowerShell/Module/en-US/Qcow2.PowerShell.dll-Help.xml";

    /// <summary>The folder of the pages of Markdown. All pages in it are made.</summary>
    public const string MarkdownFolder = "docs/cmdlets";

    /// <summary>The files as they should be: paths from the repository's root, with the content.</summary>
    /// <param name="commands">Help on all cmdlets.</param>
    public static IReadOnlyDictionary<string, string> Make(IReadOnlyList<CommandHelp> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            [Maml] = MamlWriter.Write(commands),
            [MarkdownFolder + "/README.md"] = MarkdownIndexWriter.Write(commands),
        };
        foreach (CommandHelp command in commands)
        {
            files[$"{MarkdownFolder}/{command.Name}.md"] = MarkdownWriter.Write(command);
        }

        return files;
    }

    /// <summary>What differs between the repository and what it should be, a line each.</summary>
    /// <param name="root">The repository's root.</param>
    /// <param name="files">The files as they should be.</param>
    public static IEnumerable<string> Differences(string root, IReadOnlyDictionary<string, string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        foreach ((string path, string content) in files)
        {
            string full = Path.Combine(root, path);
            if (!File.Exists(full))
            {
                yield return $"{path}: missing.";
            }
            else if (File.ReadAllText(full).ReplaceLineEndings("\n") != content)
            {
                yield return $"{path}: differs from the comments in the source.";
            }
        }

        foreach (string path in Stale(root, files))
        {
            yield return $"{path}: there is no such cmdlet.";
        }
    }

    /// <summary>Writes the files, and deletes pages of cmdlets that are no more.</summary>
    /// <param name="root">The repository's root.</param>
    /// <param name="files">The files as they should be.</param>
    public static void Write(string root, IReadOnlyDictionary<string, string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        foreach (string path in Stale(root, files))
        {
            File.Delete(Path.Combine(root, path));
        }

        foreach ((string path, string content) in files)
        {
            string full = Path.Combine(root, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, content, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        }
    }

    private static List<string> Stale(string root, IReadOnlyDictionary<string, string> files)
    {
        string folder = Path.Combine(root, MarkdownFolder);
        return Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*.md").Select(file => $"{MarkdownFolder}/{Path.GetFileName(file)}")
                .Where(path => !files.ContainsKey(path)).Order(StringComparer.Ordinal)]
            : [];
    }
}
