using System.Buffers;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;

namespace Qcow2.Engine;

/// <content>Giving clusters their place in advance.</content>
internal sealed partial class DiskWriter
{
    // Work between two looks at the cancellation token: what a slow disk does in a part of a second.
    private const int PreallocatedRunClusters = 2048;
    private const long ReservedRunBytes = 64L << 20;
    private const long ZeroedRunBytes = 8L << 20;

    // What the host may still have to write when it is asked to flush, which nobody can interrupt.
    private const long UnflushedZeroBytes = 64L << 20;

    /// <summary>
    /// Maps the disk from an offset to its end, where it is not mapped yet. It reads as zeros there and has no backing file, or
    /// is to hide it.
    /// </summary>
    /// <param name="start">Where to start; start of a cluster.</param>
    /// <param name="preallocation">How.</param>
    /// <param name="progress">Told of the bytes done.</param>
    /// <param name="cancellationToken">Ends the work within a fraction of a second, with a part of it done.</param>
    internal void Preallocate(long start, Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long unflushed = 0;
        for (long offset = start; offset < _disk.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                long done = PreallocateRun(offset, preallocation, cancellationToken);
                CommitIfMuchIsDirty();
                offset += done;
                unflushed += preallocation == Preallocation.Full ? done : 0;
            }

            if (unflushed >= UnflushedZeroBytes)
            {
                _resources.Data.Flush();
                unflushed = 0;
            }

            progress?.Report(Math.Min(offset, _disk.Length) - start);
        }
    }

    private long PreallocateRun(long offset, Preallocation preallocation, CancellationToken cancellationToken)
    {
        EnsureTable(offset);
        int wanted = CountWithoutPlace(offset, MaxRun(offset, preallocation));
        if (wanted == 0)
        {
            return ClusterSize;
        }

        (long host, int count, bool isFresh) = Place(offset, default, wanted, keepsHost: HasDataFile);
        long length = (long)count << ClusterBits;
        bool readsAsZeros;
        try
        {
            readsAsZeros = Reserve(
                host, offset, HasDataFile ? Math.Min(length, _disk.Length - host) : length, isFresh || HasDataFile, preallocation, cancellationToken);
            _map.PrepareToSet(offset, count);
        }
        catch when (!HasDataFile)
        {
            _refcounts.Release(host >> ClusterBits, count);
            throw;
        }

        for (int i = 0; i < count; i++)
        {
            long part = (long)i << ClusterBits;
            var bitmap = new SubclusterBitmap(readsAsZeros ? uint.MaxValue : 0, readsAsZeros ? 0 : uint.MaxValue);
            _map.SetEntry(
                offset + part, L2Entry.Standard(host + part, isCopied: true, readsAsZeros: !readsAsZeros && !_geometry.IsExtendedL2), bitmap);
        }

        return length;
    }

    private int MaxRun(long offset, Preallocation preallocation)
    {
        long tableEnd = ((offset >> _geometry.L1CoverageBits) + 1) << _geometry.L1CoverageBits;
        long clusters = (Math.Min(_disk.Length, tableEnd) - offset + ClusterSize - 1) >> ClusterBits;
        long most = preallocation switch
        {
            Preallocation.Full => ZeroedRunBytes >> ClusterBits,
            Preallocation.Falloc => ReservedRunBytes >> ClusterBits,
            _ => PreallocatedRunClusters,
        };
        return (int)Math.Min(clusters, Math.Min(PreallocatedRunClusters, most));
    }

    /// <summary>Clusters from an offset on that have no place in the file, up to a number.</summary>
    private int CountWithoutPlace(long offset, int most)
    {
        int count = 0;
        while (count < most)
        {
            long position = offset + ((long)count << ClusterBits);
            if (_map.StateOf(_map.GetEntry(position).Entry, position) is not (ClusterState.Unallocated or ClusterState.ZeroPlain))
            {
                break;
            }

            count++;
        }

        return count;
    }

    /// <summary>Gets space for clusters.</summary>
    /// <param name="host">Where they lie.</param>
    /// <param name="guest">Where they lie on the disk.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="isEmpty">Whether the file reads as zeros there.</param>
    /// <param name="preallocation">How.</param>
    /// <param name="cancellationToken">Ends the writing of zeros.</param>
    /// <returns>Whether what lies there now is the disk's zeros, so that no entry has to say so.</returns>
    private bool Reserve(long host, long guest, long length, bool isEmpty, Preallocation preallocation, CancellationToken cancellationToken)
    {
        bool hasZeroFlag = _resources.Header.Version >= 3;
        bool isReserved = preallocation switch
        {
            Preallocation.Falloc => _resources.Data.TryAllocate(host, length),
            Preallocation.Full => false,
            _ => true,
        };

        // Zeros that are decrypted are noise, and so are those of a cluster that was used before.
        bool readsAsZeros = isEmpty && !IsEncrypted;
        if (!isReserved || (!readsAsZeros && !hasZeroFlag))
        {
            WriteZerosToHost(host, guest, length, cancellationToken);
            readsAsZeros = true;
        }

        // The last cluster must lie inside the file, also where nothing was written to it.
        if (_resources.Data.Length < host + length)
        {
            _resources.Data.SetLength(host + length);
        }

        return readsAsZeros;
    }

    /// <summary>Writes the disk's zeros, encrypted if the disk is.</summary>
    private void WriteZerosToHost(long host, long guest, long length, CancellationToken cancellationToken)
    {
        const int PieceBytes = 1 << 20;
        if (IsEncrypted)
        {
            length = (length + SectorCipher.SectorSize - 1) & ~(SectorCipher.SectorSize - 1L);
        }

        byte[] zeros = ArrayPool<byte>.Shared.Rent((int)Math.Min(PieceBytes, length));
        try
        {
            Array.Clear(zeros, 0, zeros.Length);
            for (long done = 0; done < length; done += PieceBytes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Span<byte> piece = zeros.AsSpan(0, (int)Math.Min(PieceBytes, length - done));
                if (IsEncrypted)
                {
                    piece.Clear();
                    _resources.WriteSectors(host + done, guest + done, piece);
                }
                else
                {
                    _resources.Data.Write(host + done, piece);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }
}
