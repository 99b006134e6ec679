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

    /// <summary>Shares what was read and lies in a file, and writes the rest, without blocks of zeros.</summary>
    private void ShareOrWrite(WritePlan plan, ReadOnlySpan<byte> data, int sparseSize, SharedExtents sharing)
    {
        for (int start = 0; start < data.Length;)
        {
            int end = SparseBlocks.EndOfRun(plan.DataOffset, data, start, sparseSize, out bool isZero);
            if (!isZero)
            {
                ShareOrWrite(plan.DataOffset + start, plan.ToHost(plan.DataOffset + start), data.Slice(start, end - start), sharing);
            }

            start = end;
        }
    }

    private void ShareOrWrite(long offset, long position, ReadOnlySpan<byte> data, SharedExtents sharing)
    {
        int done = 0;
        foreach (SharedExtent shared in sharing.Within(offset, data.Length))
        {
            int start = (int)(shared.Offset - offset);
            if (sharing.TryShare(_resources.Data, position + start, shared.Run))
            {
                if (done < start)
                {
                    _resources.Data.Write(position + done, data.Slice(done, start - done));
                }

                done = start + (int)shared.Run.Length;
            }
        }

        if (done < data.Length)
        {
            _resources.Data.Write(position + done, data.Slice(done));
        }
    }

    /// <summary>Writes what another file has, too, and shares whole clusters of it.</summary>
    /// <param name="offset">Guest offset.</param>
    /// <param name="data">The data.</param>
    /// <param name="sharing">Shares, in units of clusters.</param>
    internal void Write(long offset, ReadOnlySpan<byte> data, SharedExtents sharing)
    {
        int done = 0;
        foreach (SharedExtent shared in sharing.Within(offset, data.Length))
        {
            int start = (int)(shared.Offset - offset);
            if (done < start)
            {
                Write(offset + done, data.Slice(done, start - done));
            }

            done = start + (int)shared.Run.Length;
            WriteShared(shared, data.Slice(start, (int)shared.Run.Length), sharing);
        }

        if (done < data.Length)
        {
            Write(offset + done, data.Slice(done));
        }
    }

    private void WriteShared(SharedExtent extent, ReadOnlySpan<byte> data, SharedExtents sharing)
    {
        var writes = new List<ReservedWrite>();
        int next = 0;
        try
        {
            Reserve(extent.Offset, data.Length, null, writes);
            var piece = new CopyPiece(extent.Offset, data.Length, IsData: true, extent.Run);
            while (next < writes.Count)
            {
                ReservedWrite write = writes[next++];
                if (TryShare([write], piece, sharing))
                {
                    Show(write);
                }
                else
                {
                    Carry(write, data.Slice((int)(write.Offset - extent.Offset), write.Length), sparseSize: 0);
                }
            }
        }
        finally
        {
            foreach (ReservedWrite left in writes.Skip(next))
            {
                Abandon(left);
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
