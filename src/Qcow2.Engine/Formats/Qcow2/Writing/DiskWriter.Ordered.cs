using System.Buffers;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>
/// Writing in two calls: first the places, in an order that the caller decides, then, from many threads, the data. Nobody else
/// writes to the same clusters meanwhile.
/// </content>
internal sealed partial class DiskWriter
{
    /// <summary>Decides where data will go.</summary>
    /// <param name="offset">Guest offset; start of a cluster.</param>
    /// <param name="length">Bytes; up to the end of a cluster or of the disk.</param>
    /// <param name="content">
    /// Of a single cluster with subclusters: which of them hold data, and which are to read as zeros; the others stay as they are. A
    /// cluster that has anything already is written whole all the same. Null to write everything.
    /// </param>
    /// <param name="writes">Where the writes are added, in order; each is carried out or abandoned.</param>
    internal void Reserve(long offset, int length, SubclusterBitmap? content, List<ReservedWrite> writes)
    {
        Begin();
        Record(offset, length);
        try
        {
            while (length > 0)
            {
                ReservedWrite write = ReserveNext(offset, length, content);
                writes.Add(write);
                offset += write.Length;
                length -= write.Length;
                content = null;
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    /// <summary>Writes data where it was decided, and lets the disk show it.</summary>
    /// <param name="write">What was reserved.</param>
    /// <param name="data">The data.</param>
    /// <param name="sparseSize">Runs of this many zeros need not be written into clusters that read as zeros; 0 to write all.</param>
    /// <param name="sharing">Shares what it can in place of writing it; null for nothing.</param>
    internal void Carry(ReservedWrite write, ReadOnlySpan<byte> data, int sparseSize, SharedExtents? sharing = null)
    {
        if (write.Plan is not WritePlan plan)
        {
            WriteData(write.Offset, data);
            return;
        }

        try
        {
            if (plan.Content is SubclusterBitmap content)
            {
                WriteSubclusters(plan, content.Allocated, data);
            }
            else if (sparseSize > 0 && plan.IsFresh && !IsEncrypted)
            {
                if (sharing is null)
                {
                    SparseBlocks.Write(_resources.Data, plan.ToHost(plan.DataOffset), plan.DataOffset, data, sparseSize);
                }
                else
                {
                    ShareOrWrite(plan, data, sparseSize, sharing);
                }

                ReachLastCluster(plan, data);
            }
            else
            {
                WritePlanned(plan, data);
            }
        }
        catch
        {
            Abandon(write);
            throw;
        }

        lock (_gate)
        {
            Publish(plan);
            CommitIfMuchIsDirty();
        }
    }

    /// <summary>Gives up what was reserved and not carried out.</summary>
    internal void Abandon(ReservedWrite write)
    {
        if (write.Plan is WritePlan plan)
        {
            lock (_gate)
            {
                Abandon(plan);
            }
        }
    }

    private ReservedWrite ReserveNext(long offset, int length, SubclusterBitmap? content)
    {
        while (true)
        {
            _committer.RequireSound();
            ClusterRun run;
            using (ClusterUse use = _resources.UseClusters())
            {
                run = _map.FindInPlace(offset, length);
            }

            if (run.Length > 0)
            {
                return new ReservedWrite(offset, (int)run.Length, null);
            }

            lock (_gate)
            {
                if (_geometry.IsExtendedL2 && StaysWhereItIs(offset))
                {
                    // Its parts need a plan each, and the second would wait for the first one, which is not carried out before.
                    return new ReservedWrite(offset, Math.Min(length, ClusterSize - _geometry.OffsetInCluster(offset)), null);
                }

                if (MakePlan(offset, length) is WritePlan plan)
                {
                    // Where subclusters have data or a place already, the whole cluster is written.
                    bool isEmpty = !plan.KeepsHost && !plan.Old[0].Entry.IsUsed && plan.Old[0].Bitmap.Allocated == 0;
                    plan.Content = isEmpty ? content : null;
                    return new ReservedWrite(offset, (int)plan.DataLength, plan);
                }
            }
        }
    }

    /// <summary>A file may end inside its last data cluster, but not before it, so something of that is written even if it is all zeros.</summary>
    private void ReachLastCluster(WritePlan plan, ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> last = data.Slice((data.Length - 1) & ~(ClusterSize - 1));
        if (SpanSearch.IsAllZero(last))
        {
            ReadOnlySpan<byte> end = last.Slice(Math.Max(0, last.Length - SectorCipher.SectorSize));
            _resources.Data.Write(plan.ToHost(plan.DataOffset + data.Length - end.Length), end);
        }
    }

    /// <summary>Whether a cluster gets no other place by being written, so that the order of writing changes nothing.</summary>
    private bool StaysWhereItIs(long offset)
    {
        if (_inFlight.Contains(offset >> ClusterBits))
        {
            return false;
        }

        EnsureTable(offset);
        return KeepsHost(_map.GetEntry(offset).Entry, offset);
    }

    /// <summary>Writes runs of subclusters; in the others nothing is ever read.</summary>
    private void WriteSubclusters(WritePlan plan, uint allocated, ReadOnlySpan<byte> data)
    {
        int first = 0;
        while (first < SubclusterBitmap.Count && allocated >> first != 0)
        {
            first += BitMath.TrailingOnes(~(allocated >> first));
            int last = first + BitMath.TrailingOnes(allocated >> first);
            int start = first << _geometry.SubclusterBits;
            int end = Math.Min(last << _geometry.SubclusterBits, data.Length);
            WritePiece(plan, start, data.Slice(start, end - start));
            first = last;
        }
    }

    private void WritePiece(WritePlan plan, int start, ReadOnlySpan<byte> data)
    {
        long host = plan.ToHost(plan.Start + start);
        if (!IsEncrypted)
        {
            _resources.Data.Write(host, data);
            return;
        }

        // Sectors are encrypted whole; past the end of the disk there are zeros.
        int whole = (data.Length + SectorCipher.SectorSize - 1) & ~(SectorCipher.SectorSize - 1);
        byte[] sectors = ArrayPool<byte>.Shared.Rent(whole);
        try
        {
            data.CopyTo(sectors);
            sectors.AsSpan(data.Length, whole - data.Length).Clear();
            _resources.WriteSectors(host, plan.Start + start, sectors.AsSpan(0, whole));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sectors, clearArray: true);
        }
    }
}
