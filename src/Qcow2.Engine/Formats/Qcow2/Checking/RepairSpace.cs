using Qcow2.Engine.Disks.Checking;
using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Clusters past the end of everything, for what a repair writes anew: none is taken where an entry says that something lies
/// already. Their counts reach the disk before anything refers to them.
/// </summary>
internal sealed class RepairSpace
{
    private const long CacheSize = 1 << 20;
    private const int MostTries = 1024;

    private readonly BlockStorage _image;
    private readonly RefcountStore? _counts;

    private readonly int _clusterBits;

    private RepairSpace(BlockStorage image, RefcountStore? counts, long offset, int clusterBits)
    {
        _image = image;
        _clusterBits = clusterBits;
        _counts = counts;
        Offset = offset;
    }

    /// <summary>Host offset of the clusters, which lie next to each other.</summary>
    internal long Offset { get; }

    /// <summary>Takes clusters, in memory. The refcount structure must be sound.</summary>
    /// <returns>Null if there is no place for them.</returns>
    /// <exception cref="IOException">The image lies on a device that is too small.</exception>
    internal static RepairSpace? TryTake(AuditContext context, long clusters)
    {
        BlockStorage image = context.Image;
        Qcow2Header header = HeaderAudit.Load(image, new FindingLog(0), out _)!;
        long start = RefcountAudit.FirstFree(context);
        for (int i = 0; i < MostTries; i++)
        {
            RefcountStore counts = RefcountStore.Load(image, header, CacheSize);
            counts.NoteEnd(Math.Max(counts.HighWater, start));
            long first;
            try
            {
                first = counts.Append(clusters);
            }
            catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.LimitExceeded)
            {
                return null;
            }

            if (context.ClaimEnd(first << header.ClusterBits, counts.HighWater << header.ClusterBits) is not long claimEnd)
            {
                return new RepairSpace(image, counts, first << header.ClusterBits, header.ClusterBits);
            }

            start = (claimEnd + header.ClusterSize - 1) >> header.ClusterBits;
        }

        return null;
    }

    /// <summary>Takes clusters also where the refcounts are of no use, and are made anew before anything is done with them.</summary>
    /// <returns>Null if there is no place for them.</returns>
    /// <exception cref="IOException">The image lies on a device that is too small.</exception>
    internal static RepairSpace? Take(AuditContext context, long clusters)
    {
        if (!context.NeedsRebuild)
        {
            return TryTake(context, clusters);
        }

        long start = RefcountAudit.FirstFree(context) << context.Geometry.ClusterBits;
        for (int i = 0; i < MostTries && start < Qcow2Limits.HostOffsetEnd; i++)
        {
            if (context.ClaimEnd(start, start + (clusters << context.Geometry.ClusterBits)) is not long claimEnd)
            {
                context.Image.RequireRoom(start + (clusters << context.Geometry.ClusterBits));
                return new RepairSpace(context.Image, null, start, context.Geometry.ClusterBits);
            }

            start = (claimEnd + context.Geometry.ClusterSize - 1) & ~(context.Geometry.ClusterSize - 1L);
        }

        return null;
    }

    /// <summary>Counts more references to one of the clusters, which has one already.</summary>
    internal void AddReferences(long offset, long count)
    {
        long cluster = offset >> _clusterBits;
        for (long i = 0; i < count; i++)
        {
            _counts?.TryIncrement(cluster, ulong.MaxValue);
        }
    }

    /// <summary>Brings the counts to the disk, and with them whatever was written into the clusters.</summary>
    internal void Commit()
    {
        if (_counts is null)
        {
            _image.Flush();
            return;
        }

        _counts.WriteBlocks();
        _counts.WriteMovedTable();
        _image.Flush();
        if (_counts.WriteTableEntries())
        {
            _image.Flush();
        }
        else if (_counts.IsTableMoved)
        {
            LeadToRefcountTable(_image, _counts.TableOffset, _counts.TableClusters);
        }
    }

    /// <summary>Makes the header lead to another refcount table, by one write into its first sector.</summary>
    internal static void LeadToRefcountTable(BlockStorage image, long offset, int clusters)
    {
        Span<byte> fields = stackalloc byte[sizeof(ulong) + sizeof(uint)];
        BinaryPrimitives.WriteInt64BigEndian(fields, offset);
        BinaryPrimitives.WriteInt32BigEndian(fields.Slice(sizeof(ulong)), clusters);
        image.Write(HeaderField.RefcountTableOffset, fields);
        image.Flush();
    }
}
