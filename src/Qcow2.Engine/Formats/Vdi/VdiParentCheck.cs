namespace Qcow2.Engine.Formats.Vdi;

/// <summary>Whether a disk is the parent that a child was made from, and has not changed since. Over another one every byte that the child does not have would be wrong.</summary>
internal static class VdiParentCheck
{
    /// <summary>Whether the parent's content is what the child was made over. Some programs record nothing of that.</summary>
    internal static bool IsUnchanged(VdiHeader child, VdiHeader parent)
        => child.ParentModificationId == Guid.Empty || child.ParentModificationId == parent.ModificationId;

    /// <exception cref="Qcow2Exception">It is another disk, or was changed.</exception>
    internal static void Require(VdiHeader child, VdiHeader parent, string parentPath)
    {
        if (parent.Id != child.ParentId)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileMismatch, $"'{parentPath}' has the id {parent.Id}, and this differencing disk was made from {child.ParentId}: it is another disk.");
        }

        if (!IsUnchanged(child, parent))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileMismatch,
                $"The parent '{parentPath}' was changed after this differencing disk was made from it: its modification id is {parent.ModificationId}, and {child.ParentModificationId} is expected. "
                + "What the two show together is no disk that ever was.");
        }
    }
}
