namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Whether a file is the parent that a child was made from, and has not changed since.</summary>
internal static class VhdxParentCheck
{
    /// <exception cref="Qcow2Exception">It is not.</exception>
    internal static void Check(VhdxParentLocator locator, string parentPath, Guid dataWriteId)
    {
        if (!locator.Linkages.Contains(dataWriteId))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFileMismatch,
                $"The parent '{parentPath}' was changed after this differencing disk was made from it, or is another disk: its data write id is {dataWriteId}, "
                + $"and {string.Join(" or ", locator.Linkages)} is expected. What the two show together is no disk that ever was.");
        }
    }
}
