namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// How much a repair may copy: as much as the image holds, or a little more than nothing. Without that, a small file in which
/// every entry leads to one cluster could become a very large one.
/// </summary>
internal sealed class CopyBudget(long fileLength)
{
    private const long Least = 16 << 20;

    private long _left = Math.Max(Least, fileLength);

    /// <summary>Takes clusters for copies.</summary>
    /// <returns>Null if that would be too much, or if there is no place for them.</returns>
    internal RepairSpace? TryTake(AuditContext context, long clusters)
    {
        long bytes = clusters << context.Geometry.ClusterBits;
        if (bytes > _left || RepairSpace.TryTake(context, clusters) is not RepairSpace space)
        {
            return null;
        }

        _left -= bytes;
        return space;
    }
}
