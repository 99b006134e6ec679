using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Whether a disk is the parent that a child was made over. Over another one every byte that the child does not have would be wrong.</summary>
internal static class VhdParentCheck
{
    /// <param name="child">The child.</param>
    /// <param name="parent">What is to be its parent; null for nothing.</param>
    /// <param name="problems">Told of what differs without making the parent another one.</param>
    /// <exception cref="Qcow2Exception">It is not, or there is none.</exception>
    internal static void Require(VhdStructure child, VhdParent? parent, ICollection<string> problems)
    {
        VhdDynamicHeader header = child.Header!;
        if (parent is null)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileUnavailable,
                $"This is a differencing disk, which needs its parent{Named(child)} with the unique id {header.ParentUniqueId}.");
        }

        if (parent.UniqueId is not Guid id)
        {
            return;
        }

        if (id != header.ParentUniqueId)
        {
            throw Mismatch(header, parent.Disk.Path, id);
        }

        if (header.ParentTimeStamp != 0 && header.ParentTimeStamp != parent.TimeStamp)
        {
            problems.Add($"The parent {parent.Disk.Path} has another time than the child recorded: if it was written since the child was made, what the child shows is wrong.");
        }

        if (parent.Disk.Length != child.Size)
        {
            problems.Add($"The parent {parent.Disk.Path} is a disk of {parent.Disk.Length} bytes, and the child one of {child.Size}.");
        }
    }

    internal static Qcow2Exception Mismatch(VhdDynamicHeader child, string parentPath, Guid id) => new(
        Qcow2ErrorCode.BackingFileMismatch,
        $"{PrintableText.Of(parentPath)} is not the parent of this disk: its unique id is {id}, and the child was made over {child.ParentUniqueId}.");

    private static string Named(VhdStructure child)
        => child.ParentNames.Count == 0 ? "" : $" '{PrintableText.Of(child.ParentNames[0])}'";
}
