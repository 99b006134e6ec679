using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Finds the parent of a differencing disk among the files that the child names, by its unique id.</summary>
internal static class VhdParentFile
{
    private const string Role = "parent";

    /// <summary>Opens the parent, and with it the rest of the chain.</summary>
    /// <param name="child">The child.</param>
    /// <param name="childPath">Full path of the child.</param>
    /// <param name="chain">The chain down to the child.</param>
    /// <exception cref="Qcow2Exception">It is missing, refused, damaged, or part of the chain already.</exception>
    internal static VhdParent Open(VhdStructure child, string childPath, ChainContext chain)
    {
        if (chain.Options.WithoutBacking)
        {
            return new VhdParent(new UnopenedDisk(child.ParentNames.Count == 0 ? Role : child.ParentNames[0], childPath), null, 0);
        }

        LocalFile file = Find(child, childPath, chain.Options.References, path => ImageFile.Open(path, chain.Options), chain);
        try
        {
            return VhdParent.Of(VhdFormat.OpenVhd(file, chain.Enter(file, childPath)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens the file of the parent.</summary>
    /// <param name="child">The child.</param>
    /// <param name="childPath">Full path of the child.</param>
    /// <param name="policy">What may be opened.</param>
    /// <param name="open">Opens a file.</param>
    /// <param name="chain">The files that it must not be; null where the caller sees to that.</param>
    /// <exception cref="Qcow2Exception">None of the files that the child names is the parent, or may be opened.</exception>
    internal static LocalFile Find(VhdStructure child, string childPath, ReferencePolicy policy, Func<string, LocalFile> open, ChainContext? chain)
    {
        Qcow2Exception? refusal = null;
        var missing = new List<string>();
        var tried = new HashSet<string>();
        foreach (string name in VhdParentNames.AsPaths(child.ParentNames, ReferenceName.HostRules == PathRules.Windows))
        {
            try
            {
                string path = ImageReference.Resolve(name, childPath, Role, policy);
                if (!tried.Add(path))
                {
                    continue; // Several names may lead there.
                }

                if (!File.Exists(path))
                {
                    missing.Add(path);
                    continue;
                }

                chain?.RequireNew(LocalFile.TryIdentify(path), path, childPath);
                return OpenIfParent(child, path, childPath, open);
            }
            catch (Qcow2Exception e)
            {
                // Another name may lead to the right file. If none does, what was found says more than what was not.
                refusal ??= e;
            }
        }

        throw refusal ?? new Qcow2Exception(Qcow2ErrorCode.BackingFileUnavailable, Missing(child, missing)).At(childPath);
    }

    /// <summary>Where the parent is, as far as that is known without opening a file; null where no name is that of a file of this machine.</summary>
    internal static string? PathOf(VhdStructure child, string childPath)
    {
        string[] paths =
        [
            .. VhdParentNames.AsPaths(child.ParentNames, ReferenceName.HostRules == PathRules.Windows)
                .Select(name => ImageReference.TryResolve(name, childPath)).OfType<string>(),
        ];
        return paths.FirstOrDefault(File.Exists) ?? paths.FirstOrDefault();
    }

    private static LocalFile OpenIfParent(VhdStructure child, string path, string childPath, Func<string, LocalFile> open)
    {
        LocalFile file = ReferencedFile.Open(path, Role, Qcow2ErrorCode.BackingFileUnavailable, childPath, open);
        try
        {
            Guid id = VhdStructure.Read(file, isSaid: true, isSalvage: true).Footer.UniqueId;
            return id == child.Header!.ParentUniqueId ? file : throw VhdParentCheck.Mismatch(child.Header, path, id).At(childPath);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static string Missing(VhdStructure child, List<string> tried)
        => tried.Count == 0
            ? $"This is a differencing disk that names no parent; it was made over the disk with the unique id {child.Header!.ParentUniqueId}."
            : $"This is a differencing disk, and its parent was not found: {string.Join(", ", tried.Select(path => $"'{PrintableText.Of(path)}'"))} {(tried.Count == 1 ? "does" : "do")} not exist.";
}
