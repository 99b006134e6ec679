using System.Buffers;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>Giving clusters their place in advance.</content>
internal sealed partial class DiskWriter
{
    // Work between two looks at the cancellation token: what a slow disk does in a part of a second.
    private const int PreallocatedRunClusters = 2048;
    private const long ReservedRunBytes = 64L << 20;
    private const long ZeroedRunBytes = 8L << 20;

    // What the host may still have to write when it is asked to flush, which nobody can interrupt.
    private const long UnflushedZeroBytes = 64L << 20;

    private static SubclusterBitmap AllAllocated => new(uint.MaxValue, 0);

    /// <summary>
    /// Maps the disk from an offset to its end, where it is not mapped yet. It reads as zeros there and has no backing file, or
    /// is to hide it, unless clusters have subclusters: they can have a place and nothing in it.
    /// </summary>
    /// <param name="start">Where to start; start of a cluster.</param>
    /// <param name="keptEnd">What an external data file holds up to here is not overwritten: a raw one shows it, another hides it by its entries.</param>
    /// <param name="preallocation">How.</param>
    /// <param name="progress">Told of the bytes done.</param>
    /// <param name="cancellationToken">Ends the work within a fraction of a second, with a part of it done.</param>
    /// <param name="hidesBacking">Whether the clusters read as zeros; else the backing file goes on showing through their subclusters.</param>
    internal void Preallocate(
        long start, long keptEnd, Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken, bool hidesBacking = true)
    {
        long unflushed = 0;
        for (long offset = start; offset < _disk.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                long done = PreallocateRun(offset, keptEnd, preallocation, hidesBacking, cancellationToken);
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

    private long PreallocateRun(long offset, long keptEnd, Preallocation preallocation, bool hidesBacking, CancellationToken cancellationToken)
    {
        EnsureTable(offset);
        int wanted = CountToMap(offset, MaxRun(offset, keptEnd, preallocation));
        if (wanted == 0)
        {
            return ClusterSize;
        }

        (long host, int count, bool isFresh) = Place(offset, default, wanted, keepsHost: HasDataFile);
        long length = (long)count << ClusterBits;
        bool readsAsZeros;
        try
        {
            readsAsZeros = HasDataFile
                ? ReserveInDataFile(offset, Math.Min(length, _disk.Length - offset), keptEnd, preallocation, cancellationToken)
                : Reserve(host, offset, length, isFresh, preallocation, cancellationToken);
            _map.PrepareToSet(offset, count);
        }
        catch when (!HasDataFile)
        {
            _refcounts.Release(host >> ClusterBits, count);
            throw;
        }

        SubclusterBitmap bitmap = !hidesBacking ? default : readsAsZeros ? AllAllocated : new SubclusterBitmap(0, uint.MaxValue);
        for (int i = 0; i < count; i++)
        {
            long part = (long)i << ClusterBits;
            _map.SetEntry(
                offset + part, L2Entry.Standard(host + part, isCopied: true, readsAsZeros: !readsAsZeros && !_geometry.IsExtendedL2), bitmap);
        }

        return length;
    }

    private int MaxRun(long offset, long keptEnd, Preallocation preallocation)
    {
        long tableEnd = ((offset >> _geometry.L1CoverageBits) + 1) << _geometry.L1CoverageBits;
        long end = Math.Min(_disk.Length, tableEnd);
        long clusters = ((offset < keptEnd ? Math.Min(end, keptEnd) : end) - offset + ClusterSize - 1) >> ClusterBits; // What is kept has entries of its own.
        long most = preallocation switch
        {
            Preallocation.Full => ZeroedRunBytes >> ClusterBits,
            Preallocation.Falloc => ReservedRunBytes >> ClusterBits,
            _ => PreallocatedRunClusters,
        };
        return (int)Math.Min(clusters, Math.Min(PreallocatedRunClusters, most));
    }

    /// <summary>Clusters from an offset on that are to get an entry, up to a number.</summary>
    private int CountToMap(long offset, int most)
    {
        int count = 0;
        while (count < most && IsToMap(offset + ((long)count << ClusterBits)))
        {
            count++;
        }

        return count;
    }

    /// <summary>Whether a cluster has no place in the file; of a raw data file, whether its entry does not show all that lies there.</summary>
    private bool IsToMap(long offset)
    {
        (L2Entry entry, SubclusterBitmap bitmap) = _map.GetEntry(offset);
        ClusterState state = _map.StateOf(entry, offset);
        return IsDataFileRaw
            ? state != ClusterState.Data || (_geometry.IsExtendedL2 && bitmap != AllAllocated)
            : state is ClusterState.Unallocated or ClusterState.ZeroPlain;
    }

    /// <summary>Gets space in an external data file, where each cluster has its place.</summary>
    /// <returns>Whether what lies there now is what the disk is to show, so that no entry has to say that it is zeros.</returns>
    private bool ReserveInDataFile(long offset, long length, long keptEnd, Preallocation preallocation, CancellationToken cancellationToken)
    {
        long end = offset + length;
        long fresh = Math.Min(end, Math.Max(offset, keptEnd));
        bool isKept = fresh > offset;
        bool isReserved = preallocation switch
        {
            Preallocation.Falloc => _resources.Data.TryAllocate(offset, length),
            Preallocation.Full => isKept && _resources.Data.TryAllocate(offset, fresh - offset) && fresh == end,
            _ => true,
        };

        bool isWritten = !isReserved && fresh < end;
        if (isWritten)
        {
            long start = IsEncrypted ? (fresh + SectorCipher.SectorSize - 1) & ~(SectorCipher.SectorSize - 1L) : fresh;
            WriteZerosToHost(start, start, Math.Max(0, end - start), cancellationToken);
        }

        return IsDataFileRaw || (!isKept && (isWritten || !IsEncrypted));
    }

    /// <summary>Gets space for clusters in the image file.</summary>
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
            Preallocation.Falloc => _resources.Image.TryAllocate(host, length),
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
        _resources.Image.LengthenTo(host + length);
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
