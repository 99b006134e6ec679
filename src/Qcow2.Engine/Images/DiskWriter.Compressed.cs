using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;

namespace Qcow2.Engine;

/// <content>Compressed clusters, packed byte by byte.</content>
internal sealed partial class DiskWriter
{
    // Where the next compressed cluster goes, inside a cluster that has room left; 0 for nowhere.
    private long _compressedEnd;

    internal void WriteCompressed(long offset, ReadOnlySpan<byte> data)
    {
        Begin();
        Record(offset, data.Length);
        byte[] cluster = ArrayPool<byte>.Shared.Rent(ClusterSize);
        byte[] compressed = ArrayPool<byte>.Shared.Rent(ClusterSize);
        try
        {
            data.CopyTo(cluster);
            cluster.AsSpan(data.Length, ClusterSize - data.Length).Clear();
            if (_resources.Encoders.TryEncode(cluster.AsSpan(0, ClusterSize), compressed, out int length))
            {
                while (!TryPlaceCompressed(offset, compressed.AsSpan(0, length)))
                {
                    // Another thread was writing to the same cluster.
                }
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
            ArrayPool<byte>.Shared.Return(cluster);
            ArrayPool<byte>.Shared.Return(compressed);
        }
    }

    private bool TryPlaceCompressed(long offset, ReadOnlySpan<byte> compressed)
    {
        lock (_gate)
        {
            if (MustWaitFor(offset))
            {
                return false;
            }

            _committer.RequireSound();
            EnsureTable(offset);
            _map.PrepareToSet(offset, 1);
            (L2Entry old, _) = _map.GetEntry(offset);
            long host = AllocateBytes(compressed.Length);
            long last = (host + compressed.Length - 1) >> ClusterBits;
            try
            {
                CheckOverlap(host, compressed.Length);
                _resources.DecodedClusters.Remove(host);
                _resources.Image.Write(host, compressed);
            }
            catch
            {
                _compressedEnd = 0;
                _refcounts.Release(host >> ClusterBits, last - (host >> ClusterBits) + 1);
                throw;
            }

            L2Entry entry = CompressedClusterDescriptor.Create(host, compressed.Length, ClusterBits).ToL2Entry();
            Replace(offset, old, entry, default, keepsHost: false);
            return true;
        }
    }

    /// <summary>Takes bytes behind the last compressed cluster, and counts one reference to each cluster they touch.</summary>
    private long AllocateBytes(int length)
    {
        long partial = _compressedEnd >> ClusterBits;
        int room = _compressedEnd == 0 ? 0 : ClusterSize - _geometry.OffsetInCluster(_compressedEnd);
        if (length <= room && _refcounts.TryIncrement(partial))
        {
            return TakeBytes(_compressedEnd, length);
        }

        long next = _refcounts.Allocate(1, out _, out _);
        bool continues = room > 0 && next == partial + 1 && _refcounts.TryIncrement(partial);
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
