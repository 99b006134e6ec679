using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;

namespace Qcow2.Engine;

/// <content>Giving every cluster of a new disk its place in advance.</content>
internal sealed partial class DiskWriter
{
    private const int PreallocatedRunClusters = 2048;

    /// <summary>Maps the whole disk, which must be empty and have no backing file.</summary>
    internal void Preallocate(Preallocation preallocation, CancellationToken cancellationToken)
    {
        long offset = 0;
        while (offset < _disk.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                offset += PreallocateRun(offset, preallocation);
                CommitIfMuchIsDirty();
            }
        }
    }

    private long PreallocateRun(long offset, Preallocation preallocation)
    {
        EnsureTable(offset);
        long tableEnd = ((offset >> _geometry.L1CoverageBits) + 1) << _geometry.L1CoverageBits;
        long wanted = (Math.Min(_disk.Length, tableEnd) - offset + ClusterSize - 1) >> ClusterBits;
        (long host, int count, _) = Place(offset, default, (int)Math.Min(wanted, PreallocatedRunClusters), keepsHost: HasDataFile);
        for (int i = 0; i < count; i++)
        {
            long part = (long)i << ClusterBits;
            _map.SetEntry(offset + part, L2Entry.Standard(host + part, isCopied: true), new SubclusterBitmap(uint.MaxValue, 0));
        }

        long length = (long)count << ClusterBits;
        Reserve(host, HasDataFile ? Math.Min(length, _disk.Length - host) : length, preallocation);
        return length;
    }

    private void Reserve(long host, long length, Preallocation preallocation)
    {
        bool isReserved = preallocation switch
        {
            Preallocation.Falloc => _resources.Data.TryAllocate(host, length),
            Preallocation.Full => false,
            _ => true,
        };

        if (!isReserved)
        {
            WriteZerosToHost(host, length);
        }

        // The last cluster must lie inside the file, also where nothing was written to it.
        if (_resources.Data.Length < host + length)
        {
            _resources.Data.SetLength(host + length);
        }
    }

    private void WriteZerosToHost(long host, long length)
    {
        const int PieceBytes = 1 << 20;
        byte[] zeros = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            Array.Clear(zeros, 0, PieceBytes);
            for (long done = 0; done < length; done += PieceBytes)
            {
                _resources.Data.Write(host + done, zeros.AsSpan(0, (int)Math.Min(PieceBytes, length - done)));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }
}
