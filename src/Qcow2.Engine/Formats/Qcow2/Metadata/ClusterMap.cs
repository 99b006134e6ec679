using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// Guest offsets to host offsets, through one L1 table and the L2 tables it points to (spec: "Cluster mapping",
/// "Extended L2 Entries").
/// </summary>
internal sealed class ClusterMap
{
    private readonly ClusterGeometry _geometry;
    private readonly int _version;
    private readonly bool _hasDataFile;
    private readonly L1Table _l1;
    private readonly L2Cache _l2;

    internal ClusterMap(Qcow2Header header, L1Table l1, L2Cache l2)
    {
        _geometry = header.Geometry;
        _version = header.Version;
        _hasDataFile = header.Has(IncompatibleFeatures.ExternalDataFile);
        _l1 = l1;
        _l2 = l2;
    }

    /// <summary>Host offset of the L1 table.</summary>
    internal long TableOffset => _l1.Offset;

    /// <summary>Finds what lies at a guest offset and how far it goes on.</summary>
    /// <param name="offset">Guest offset; inside what the L1 table covers.</param>
    /// <param name="maxLength">Most bytes wanted; at least 1.</param>
    /// <exception cref="Qcow2Exception">An entry breaks the specification.</exception>
    internal ClusterRun Find(long offset, long maxLength)
    {
        ClusterRun run = FindStep(offset, maxLength, out bool mayContinue);
        while (mayContinue && run.Length < maxLength)
        {
            ClusterRun next;
            try
            {
                next = FindStep(offset + run.Length, maxLength - run.Length, out mayContinue);
            }
            catch (Exception e) when (e is IOException or Qcow2Exception)
            {
                break; // Whoever goes on there is told; what lies before is sound.
            }

            if (!run.IsContinuedBy(next))
            {
                break;
            }

            run = run with { Length = run.Length + next.Length };
        }

        return run;
    }

    /// <summary>Guest offset where the cluster of an offset ends.</summary>
    internal long ClusterEnd(long offset) => ClusterStart(offset) + _geometry.ClusterSize;

    /// <summary>Guest offset where what cannot be found ends: the cluster of a damaged entry, all that a part of a table covers, or the end of the disk.</summary>
    /// <param name="offset">Guest offset at which <see cref="Find"/> failed.</param>
    internal long DamageEnd(long offset)
    {
        try
        {
            GetEntry(offset);
            return ClusterEnd(offset);
        }
        catch (Exception e) when (e is IOException or Qcow2Exception)
        {
            if (_l1.IsCutBefore(L1Index(offset)))
            {
                return long.MaxValue;
            }

            long covered = (long)_l2.EntriesPerSlice << _geometry.ClusterBits;
            return (offset / covered * covered) + covered;
        }
    }

    /// <summary>Finds how much of a range can be written where it lies: data in clusters that nothing else refers to.</summary>
    /// <param name="offset">Guest offset; inside what the L1 table covers.</param>
    /// <param name="maxLength">Most bytes wanted; at least 1.</param>
    /// <returns>A run of data, or one of length 0 if the first byte cannot be written where it lies.</returns>
    internal ClusterRun FindInPlace(long offset, long maxLength)
    {
        ClusterRun run = default;
        while (run.Length < maxLength)
        {
            long position = offset + run.Length;
            (L2Entry entry, SubclusterBitmap bitmap) = GetEntry(position);
            if (!_l1[L1Index(position)].IsCopied || !entry.IsCopied || entry.IsCompressed || Classify(entry, position) != ClusterState.Data)
            {
                break;
            }

            int inCluster = _geometry.OffsetInCluster(position);
            long length = _geometry.IsExtendedL2 ? AllocatedBytes(bitmap, inCluster) : _geometry.ClusterSize - inCluster;
            var next = new ClusterRun(ClusterState.Data, Math.Min(length, maxLength - run.Length), entry.Offset + inCluster);
            if (next.Length == 0 || (run.Length > 0 && !run.IsContinuedBy(next)))
            {
                break;
            }

            run = run.Length == 0 ? next : run with { Length = run.Length + next.Length };
        }

        return run;
    }

    /// <summary>The state of a cluster's first byte, as <see cref="Find"/> sees it, for one entry.</summary>
    internal ClusterState StateOf(L2Entry entry, long offset) => Classify(entry, offset);

    /// <summary>The L1 entry that covers a guest offset.</summary>
    internal int L1Index(long offset) => (int)(offset >> _geometry.L1CoverageBits);

    /// <summary>The L2 entry of a guest offset; unallocated where there is no L2 table.</summary>
    internal (L2Entry Entry, SubclusterBitmap Bitmap) GetEntry(long offset)
    {
        L1Entry l1Entry = _l1[L1Index(offset)];
        if (!l1Entry.IsUsed)
        {
            return default;
        }

        (int slice, int index) = Locate(offset);
        ulong[] entries = _l2.GetSlice(AlignedTable(l1Entry, offset), slice);
        return _geometry.IsExtendedL2
            ? (new L2Entry(Volatile.Read(ref entries[2 * index])), new SubclusterBitmap(Volatile.Read(ref entries[(2 * index) + 1])))
            : (new L2Entry(Volatile.Read(ref entries[index])), default);
    }

    /// <summary>Changes the L2 entry of a guest offset, whose L2 table must be there and nobody else's.</summary>
    internal void SetEntry(long offset, L2Entry entry, SubclusterBitmap bitmap)
    {
        (int slice, int index) = Locate(offset);
        ulong[] entries = _l2.GetSliceForUpdate(AlignedTable(_l1[L1Index(offset)], offset), slice);
        if (_geometry.IsExtendedL2)
        {
            Volatile.Write(ref entries[2 * index], entry.Value);
            Volatile.Write(ref entries[(2 * index) + 1], bitmap.Value);
        }
        else
        {
            Volatile.Write(ref entries[index], entry.Value);
        }
    }

    /// <summary>Reads the L2 entries of a range into memory and keeps them there, so that changing them cannot fail.</summary>
    internal void PrepareToSet(long offset, int clusters)
    {
        long table = AlignedTable(_l1[L1Index(offset)], offset);
        int last = Locate(offset + ((long)(clusters - 1) << _geometry.ClusterBits)).Slice;
        for (int slice = Locate(offset).Slice; slice <= last; slice++)
        {
            _l2.GetSliceForUpdate(table, slice);
        }
    }

    private (int Slice, int Index) Locate(long offset)
    {
        int l2Index = (int)(offset >> _geometry.ClusterBits) & ((1 << _geometry.L2Bits) - 1);
        return (l2Index / _l2.EntriesPerSlice, l2Index % _l2.EntriesPerSlice);
    }

    private long AllocatedBytes(SubclusterBitmap bitmap, int inCluster)
    {
        int subcluster = inCluster >> _geometry.SubclusterBits;
        int last = subcluster + BitMath.TrailingOnes(bitmap.Allocated >> subcluster);
        return Math.Max(0, ((long)last << _geometry.SubclusterBits) - inCluster);
    }

    private long AlignedTable(L1Entry entry, long offset) => _geometry.IsClusterAligned(entry.Offset)
        ? entry.Offset
        : throw Qcow2Errors.Corrupt(
            $"L1 entry {L1Index(offset)} points to an L2 table at 0x{entry.Offset:x}, which is not a multiple of the cluster size {_geometry.ClusterSize}.");

    /// <summary>One look into one L2 slice. It may continue where the run ended only because the slice did.</summary>
    private ClusterRun FindStep(long offset, long maxLength, out bool mayContinue)
    {
        int l1Index = (int)(offset >> _geometry.L1CoverageBits);
        L1Entry l1Entry = _l1[l1Index];
        if (!l1Entry.IsUsed)
        {
            int lastIndex = (int)((offset + maxLength - 1) >> _geometry.L1CoverageBits);

            // This entry is what it was when it was read: a writer may have changed it since.
            long end = (long)(l1Index + 1 + _l1.CountUnused(l1Index + 1, lastIndex + 1)) << _geometry.L1CoverageBits;
            mayContinue = true;
            return new ClusterRun(ClusterState.Unallocated, Math.Min(maxLength, end - offset));
        }

        (int sliceIndex, int index) = Locate(offset);
        ulong[] slice = _l2.GetSlice(AlignedTable(l1Entry, offset), sliceIndex);

        return _geometry.IsExtendedL2
            ? FindExtended(slice, index, offset, maxLength, out mayContinue)
            : FindStandard(slice, index, offset, maxLength, out mayContinue);
    }

    private ClusterRun FindStandard(ulong[] slice, int index, long offset, long maxLength, out bool mayContinue)
    {
        var entry = new L2Entry(Volatile.Read(ref slice[index]));
        ClusterState state = Classify(entry, offset);
        int inCluster = _geometry.OffsetInCluster(offset);
        if (state == ClusterState.Compressed)
        {
            mayContinue = false;
            return ClusterRun.Compressed(
                entry.CompressedCluster(_geometry.ClusterBits), Math.Min(maxLength, _geometry.ClusterSize - inCluster));
        }

        // Only as many entries as the caller wants bytes.
        long wanted = ((maxLength + inCluster - 1) >> _geometry.ClusterBits) + 1;
        int limit = (int)Math.Min(slice.Length - index, wanted);
        int count = 1 + CountAlike(entry, slice.AsSpan(index + 1, limit - 1), state);
        mayContinue = index + count == slice.Length;
        long length = Math.Min(maxLength, ((long)count << _geometry.ClusterBits) - inCluster);
        return new ClusterRun(state, length, entry.Offset + inCluster);
    }

    /// <summary>
    /// Number of entries that continue the one before them. That one is passed as it was read: a writer may have changed it
    /// since, and the run must be what it was.
    /// </summary>
    private int CountAlike(L2Entry first, ReadOnlySpan<ulong> next, ClusterState state)
    {
        if (state == ClusterState.Unallocated && first.Value == 0)
        {
            return SpanSearch.CountLeadingZeroWords(next);
        }

        const ulong Compared = L2Entry.OffsetMask | L2Entry.CompressedFlag | L2Entry.ZeroFlag;
        ulong step = state is ClusterState.Data or ClusterState.ZeroAllocated ? (ulong)_geometry.ClusterSize : 0;
        ulong expected = first.Value & Compared;
        int count = 0;
        while (count < next.Length)
        {
            expected += step;
            if ((next[count] & Compared) != expected)
            {
                break;
            }

            count++;
        }

        return count;
    }

    private ClusterRun FindExtended(ulong[] slice, int index, long offset, long maxLength, out bool mayContinue)
    {
        var entry = new L2Entry(slice[2 * index]);
        var bitmap = new SubclusterBitmap(slice[(2 * index) + 1]);
        ClusterState clusterState = Classify(entry, offset);
        int inCluster = _geometry.OffsetInCluster(offset);
        if (clusterState == ClusterState.Compressed)
        {
            mayContinue = false;
            return ClusterRun.Compressed(
                entry.CompressedCluster(_geometry.ClusterBits), Math.Min(maxLength, _geometry.ClusterSize - inCluster));
        }

        bool hasCluster = clusterState == ClusterState.Data;
        if (!bitmap.IsValid || (!hasCluster && bitmap.Allocated != 0))
        {
            throw Qcow2Errors.Corrupt(
                $"The subcluster bitmap 0x{bitmap.Value:x16} of the guest cluster at 0x{offset - inCluster:x} "
                + (bitmap.IsValid ? "allocates subclusters of a cluster that is not allocated." : "marks a subcluster both allocated and zero."));
        }

        int subcluster = inCluster >> _geometry.SubclusterBits;
        uint bit = 1u << subcluster;
        (ClusterState state, uint alike) = (bitmap.Zero & bit) != 0 ? (hasCluster ? ClusterState.ZeroAllocated : ClusterState.ZeroPlain, bitmap.Zero)
            : (bitmap.Allocated & bit) != 0 ? (ClusterState.Data, bitmap.Allocated)
            : (ClusterState.Unallocated, ~(bitmap.Zero | bitmap.Allocated));

        int last = Math.Min(SubclusterBitmap.Count, subcluster + BitMath.TrailingOnes(alike >> subcluster));
        mayContinue = last == SubclusterBitmap.Count;
        return new ClusterRun(state, Math.Min(maxLength, ((long)last << _geometry.SubclusterBits) - inCluster), entry.Offset + inCluster);
    }

    private ClusterState Classify(L2Entry entry, long offset)
    {
        if (entry.IsCompressed)
        {
            return _hasDataFile
                ? throw Qcow2Errors.Corrupt($"The guest cluster at 0x{ClusterStart(offset):x} is compressed, which an image with an external data file cannot have.")
                : ClusterState.Compressed;
        }

        if (!_geometry.IsClusterAligned(entry.Offset))
        {
            throw Qcow2Errors.Corrupt(
                $"The guest cluster at 0x{ClusterStart(offset):x} is mapped to 0x{entry.Offset:x}, which is not a multiple of the cluster size {_geometry.ClusterSize}.");
        }

        bool hasOffset = entry.Offset != 0 || (_hasDataFile && entry.IsCopied);
        if (hasOffset && _hasDataFile && entry.Offset != ClusterStart(offset))
        {
            throw Qcow2Errors.Corrupt(
                $"The guest cluster at 0x{ClusterStart(offset):x} is mapped to 0x{entry.Offset:x} of the external data file, where each cluster has its own place.");
        }

        // In an extended entry bit 0 is reserved and means nothing.
        if (entry.IsZero && !_geometry.IsExtendedL2)
        {
            return _version < 3
                ? throw Qcow2Errors.Corrupt($"The guest cluster at 0x{ClusterStart(offset):x} has the zero flag, which version 2 does not have.")
                : hasOffset ? ClusterState.ZeroAllocated : ClusterState.ZeroPlain;
        }

        return hasOffset ? ClusterState.Data : ClusterState.Unallocated;
    }

    private long ClusterStart(long offset) => offset - _geometry.OffsetInCluster(offset);
}
