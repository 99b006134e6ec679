using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Finds the parent of a differencing disk among the files that the child names, by its unique id.</summary>
internal static class VhdParentFile
{
    /// <summary>Opens the parent, and with it the rest of the chain.</summary>
    /// <param name="child">The child.</param>
    /// <param name="childPath">Full path of the child.</param>
    /// <param name="chain">The chain down to the child.</param>
    /// <exception cref="Qcow2Exception">It is missing, refused, damaged, or part of the chain already.</exception>
    internal static VhdParent Open(VhdStructure child, string childPath, ChainContext chain)
    {
        if (chain.Options.WithoutBacking)
        {
            return new VhdParent(new UnopenedDisk(child.ParentNames.Count == 0 ? "parent" : child.ParentNames[0], childPath), null, 0);
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
        => new ParentSearch(childPath, policy, open, chain).Find(child.ParentNames, file => Check(child, file, childPath), $"the unique id {child.Header!.ParentUniqueId}");

    private static void Check(VhdStructure child, LocalFile file, string childPath)
    {
        Guid id = VhdStructure.Read(file, isSaid: true, isSalvage: true).Footer.UniqueId;
        if (id != child.Header!.ParentUniqueId)
        {
            throw VhdParentCheck.Mismatch(child.Header, file.Path, id).At(childPath);
        }
    }
}
