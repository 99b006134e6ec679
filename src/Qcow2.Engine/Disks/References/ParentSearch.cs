using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.References;

/// <summary>Looks for the parent of a differencing disk where the child says that it may be. A name is only where to look: what tells the parent is its id.</summary>
/// <param name="childPath">Full path of the child.</param>
/// <param name="policy">What may be opened.</param>
/// <param name="open">Opens a file.</param>
/// <param name="chain">The files that it must not be; null where the caller sees to that.</param>
internal sealed class ParentSearch(string childPath, ReferencePolicy policy, Func<string, LocalFile> open, ChainContext? chain)
{
    private const string Role = "parent";

    /// <summary>Opens the file of the parent.</summary>
    /// <param name="names">The names that the child has, in the order in which to look; of Windows, or of the host.</param>
    /// <param name="check">Throws if a file is not the parent.</param>
    /// <param name="whose">The id by which the child knows its parent, for messages: "the unique id 1234".</param>
    /// <exception cref="Qcow2Exception">None of the files is the parent, or may be opened.</exception>
    internal LocalFile Find(IReadOnlyList<string> names, Action<LocalFile> check, string whose)
    {
        Qcow2Exception? refusal = null;
        var missing = new List<string>();
        var tried = new HashSet<string>(StringComparer.Ordinal);
        foreach (string name in AsPaths(names))
        {
            try
            {
                string path = ImageReference.Resolve(name, childPath, Role, policy);
                if (!tried.Add(path))
                {
                    continue;
                }

                if (!File.Exists(path))
                {
                    missing.Add(path);
                    continue;
                }

                chain?.RequireNew(LocalFile.TryIdentify(path), path, childPath);
                return OpenIfParent(path, check);
            }
            catch (Qcow2Exception e)
            {
                // Another name may lead to the right file. If none does, what was found says more than what was not.
                refusal ??= e;
            }
        }

        throw refusal ?? new Qcow2Exception(Qcow2ErrorCode.BackingFileUnavailable, Missing(missing, whose)).At(childPath);
    }

    /// <summary>Where the parent is, as far as that is known without opening a file; null where no name is that of a file of this machine.</summary>
    internal static string? PathOf(IReadOnlyList<string> names, BlockStorage child)
    {
        string[] paths = [.. AsPaths(names).Select(name => ImageReference.TryResolve(name, child)).OfType<string>()];
        return paths.FirstOrDefault(File.Exists) ?? paths.FirstOrDefault();
    }

    private static IReadOnlyList<string> AsPaths(IReadOnlyList<string> names) => WindowsParentNames.AsPaths(names, ReferenceName.HostRules == PathRules.Windows);

    private LocalFile OpenIfParent(string path, Action<LocalFile> check)
    {
        LocalFile file = ReferencedFile.Open(path, Role, Qcow2ErrorCode.BackingFileUnavailable, childPath, open);
        try
        {
            check(file);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static string Missing(List<string> tried, string whose)
        => tried.Count == 0
            ? $"This is a differencing disk that names no parent; it was made over the disk with {whose}."
            : $"This is a differencing disk, and its parent was not found: {string.Join(", ", tried.Select(path => $"'{PrintableText.Of(path)}'"))} {(tried.Count == 1 ? "does" : "do")} not exist.";
}
