using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Clusters whose content another file has: the host lets both have it.</content>
internal sealed partial class DiskWriter
{
    /// <summary>Says whether the file with the data can share what lies in another one, and in which blocks.</summary>
    internal int ShareUnit(BlockStorage source, out string? refusal) => _resources.Data.ShareUnit(source, out refusal);

    /// <summary>Lets reserved clusters have what a file holds. The disk does not show it yet.</summary>
    /// <param name="writes">What was reserved: whole clusters that follow each other in the file, or a single write without a plan.</param>
    /// <param name="piece">What they are a part of, with its place in the other file.</param>
    /// <param name="sharing">Shares.</param>
    /// <returns>False if it must be copied.</returns>
    internal bool TryShare(IReadOnlyList<ReservedWrite> writes, CopyPiece piece, SharedExtents sharing)
    {
        long offset = writes[0].Offset;
        long length = writes[writes.Count - 1].Offset + writes[writes.Count - 1].Length - offset;
        HostRun run = piece.Shared!.Value.Slice(offset - piece.Offset, length);
        if (writes[0].Plan is WritePlan plan)
        {
            return sharing.TryShare(_resources.Data, plan.ToHost(offset), run);
        }

        using ClusterUse use = _resources.UseClusters();
        ClusterRun place = _map.FindInPlace(offset, length);
        if (place.Length < length)
        {
            return false;
        }

        CheckOverlap(place.HostOffset, length);
        return sharing.TryShare(_resources.Data, place.HostOffset, run);
    }

    /// <summary>Lets the disk show what was shared.</summary>
    internal void Show(ReservedWrite write)
    {
        if (write.Plan is WritePlan plan)
        {
            lock (_gate)
            {
                Publish(plan);
                CommitIfMuchIsDirty();
            }
        }
    }

    /// <summary>Reads what goes where it was decided, and writes it.</summary>
    internal void CarryRead(ReservedWrite write, Span<byte> data, DiskRead read, int sparseSize)
    {
        try
        {
            read(write.Offset, data);
        }
        catch
        {
            Abandon(write);
            throw;
        }

        Carry(write, data, sparseSize);
    }
}
