using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Compressed clusters, packed byte by byte.</content>
internal sealed partial class DiskWriter
{
    // Where the next compressed cluster goes, inside a cluster that has room left; 0 for nowhere.
    private long _compressedEnd;

    internal void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        Begin();
        Record(offset, data.Length);
        byte[] compressed = ArrayPool<byte>.Shared.Rent(ClusterSize);
        try
        {
            if (_resources.Encoders.TryEncode(data, ClusterSize, compressed, out int length))
            {
                CarryCompressed([ReserveCompressed(offset, length)], compressed.AsSpan(0, length));
            }
            else
            {
                WriteData(offset, data);
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(compressed);
        }
    }

    /// <summary>Decides where the compressed data of a cluster will go, behind that of the cluster before.</summary>
    /// <param name="offset">Guest offset of the cluster.</param>
    /// <param name="length">Bytes of compressed data.</param>
    internal CompressedReservation ReserveCompressed(long offset, int length)
    {
        Begin();
        Record(offset, Math.Min(ClusterSize, _disk.Length - offset));
        try
        {
            lock (_gate)
            {
                while (MustWaitFor(offset))
                {
                    // Another thread was writing to the same cluster.
                }

                _committer.RequireSound();
                EnsureTable(offset);
                long host = AllocateBytes(length);
                var reservation = new CompressedReservation(offset, host, length);
                try
                {
                    CheckOverlap(host, length);
                }
                catch
                {
                    ReleaseBytes(reservation);
                    throw;
                }

                _resources.DecodedClusters.Remove(host);
                _inFlight.Add(offset >> ClusterBits);
                return reservation;
            }
        }
        catch (MetadataOverlapException e)
        {
            StopWriting(e);
            throw;
        }
    }

    /// <summary>Writes compressed data where it was decided, and lets the disk show it.</summary>
    /// <param name="reservations">Places that follow each other in the file without a gap.</param>
    /// <param name="compressed">The compressed data of all of them.</param>
    internal void CarryCompressed(IReadOnlyList<CompressedReservation> reservations, ReadOnlySpan<byte> compressed)
    {
        int published = 0;
        try
        {
            _resources.Image.Write(reservations[0].HostOffset, compressed);
            lock (_gate)
            {
                for (; published < reservations.Count; published++)
                {
                    PublishCompressed(reservations[published]);
                }
            }
        }
        catch
        {
            for (; published < reservations.Count; published++)
            {
                Abandon(reservations[published]);
            }

            throw;
        }

        lock (_gate)
        {
            CommitIfMuchIsDirty();
        }
    }

    /// <summary>Gives up what was reserved and not carried out.</summary>
    internal void Abandon(CompressedReservation reservation)
    {
        lock (_gate)
        {
            try
            {
                ReleaseBytes(reservation);
            }
            finally
            {
                _inFlight.Remove(reservation.Offset >> ClusterBits);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void PublishCompressed(CompressedReservation reservation)
    {
        _map.PrepareToSet(reservation.Offset, 1);
        (L2Entry old, _) = _map.GetEntry(reservation.Offset);
        L2Entry entry = CompressedClusterDescriptor.Create(reservation.HostOffset, reservation.Length, ClusterBits).ToL2Entry();
        Exchange(reservation.Offset, old, entry, default, keepsHost: false);
        _inFlight.Remove(reservation.Offset >> ClusterBits);
        Monitor.PulseAll(_gate);
    }

    private void ReleaseBytes(CompressedReservation reservation)
    {
        _compressedEnd = 0;
        long first = reservation.HostOffset >> ClusterBits;
        long last = (reservation.HostOffset + reservation.Length - 1) >> ClusterBits;
        _refcounts.Release(first, last - first + 1);
    }

    /// <summary>Most compressed clusters that begin in one host cluster. Each of them is counted again by each snapshot.</summary>
    internal ulong MaxPacked { get; set; } = ulong.MaxValue;

    /// <summary>Takes bytes behind the last compressed cluster, and counts one reference to each cluster they touch.</summary>
    private long AllocateBytes(int length)
    {
        long partial = _compressedEnd >> ClusterBits;
        int room = _compressedEnd == 0 ? 0 : ClusterSize - _geometry.OffsetInCluster(_compressedEnd);
        if (length <= room && _refcounts.TryIncrement(partial, MaxPacked))
        {
            return TakeBytes(_compressedEnd, length);
        }

        long next = _refcounts.Allocate(1, out _, out _);
        bool continues = room > 0 && next == partial + 1 && _refcounts.TryIncrement(partial, MaxPacked);
        return TakeBytes(continues ? _compressedEnd : next << ClusterBits, length);
    }

    private long TakeBytes(long host, int length)
    {
        long end = host + length;
        _compressedEnd = _geometry.IsClusterAligned(end) ? 0 : end;
        return host;
    }

    /// <summary>Nothing may be packed into a cluster that was given up.</summary>
    private void ForgetCompressedEnd(long cluster)
    {
        if (cluster == _compressedEnd >> ClusterBits)
        {
            _compressedEnd = 0;
        }
    }
}
