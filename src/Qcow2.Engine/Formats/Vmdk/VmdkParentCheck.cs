namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Whether a file is the parent that a child was made from, and has not changed since.</summary>
internal static class VmdkParentCheck
{
    /// <exception cref="Qcow2Exception">It is not.</exception>
    internal static void Check(VmdkDescriptor child, string parentPath, VmdkDescriptor parent)
    {
        if (parent.ContentId != child.ParentContentId)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileMismatch,
                $"The parent '{parentPath}' was changed after this disk was made from it, or is another disk: its CID is {parent.ContentId:x8}, and {child.ParentContentId:x8} is expected. "
                + "What the two show together is no disk that ever was.");
        }
    }
}
