using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>Finds the parent of a differencing disk among the files that the caller names: a VDI file has its id and no name.</summary>
internal static class VdiParentFile
{
    private const string Role = "parent";

    /// <summary>Opens the parent, and with it the rest of the chain.</summary>
    /// <exception cref="Qcow2Exception">It is not among the files, damaged, or part of the chain already.</exception>
    internal static VdiDisk Open(VdiHeader child, string childPath, ChainContext chain)
    {
        LocalFile file = Find(child, childPath, chain.Options.ParentPaths, path => ImageFile.Open(path, chain.Options));
        try
        {
            return VdiFormat.OpenVdi(file, chain.Enter(file, childPath));
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
    /// <param name="paths">The files that the caller names.</param>
    /// <param name="open">Opens the one that is the parent.</param>
    /// <exception cref="Qcow2Exception">None of them is the parent, or none was named.</exception>
    internal static LocalFile Find(VdiHeader child, string childPath, IReadOnlyList<string> paths, Func<string, LocalFile> open)
    {
        if (paths.Count == 0)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.ParentNotNamed,
                $"This is a differencing disk over the one with the id {child.ParentId}. A VDI file does not say where that is, only VirtualBox's list of disks does (VBoxManage list hdds).").At(childPath);
        }

        var others = new List<string>();
        string? changed = null;
        foreach (string path in paths)
        {
            VdiHeader? seen = HeaderOf(path, childPath, out string description);
            if (seen is not null && seen.Id == child.ParentId)
            {
                if (VdiParentCheck.IsUnchanged(child, seen))
                {
                    return ReferencedFile.Open(path, Role, Qcow2ErrorCode.BackingFileUnavailable, childPath, open);
                }

                // Of two copies of a disk the one counts that was not written since. If there is none, the check of the parent says what is wrong.
                changed ??= path;
            }

            others.Add(description);
        }

        return changed is not null
            ? ReferencedFile.Open(changed, Role, Qcow2ErrorCode.BackingFileUnavailable, childPath, open)
            : throw new Qcow2Exception(
                Qcow2ErrorCode.ParentNotNamed, $"The parent of this differencing disk has the id {child.ParentId}, and none of the files has that: {string.Join("; ", others)}.").At(childPath);
    }

    /// <summary>Looks at a file without a lock: it may be the child itself, or not meant at all.</summary>
    private static VdiHeader? HeaderOf(string path, string childPath, out string description)
    {
        using LocalFile file = ReferencedFile.Open(path, Role, Qcow2ErrorCode.BackingFileUnavailable, childPath, ImageFile.OpenUnlocked);
        try
        {
            var header = VdiHeader.Load(file);
            description = $"'{PrintableText.Of(path)}' has the id {header.Id}";
            return header;
        }
        catch (Qcow2Exception e)
        {
            description = $"'{PrintableText.Of(path)}' cannot be used ({e.Reason.TrimEnd('.')})";
            return null;
        }
    }
}
