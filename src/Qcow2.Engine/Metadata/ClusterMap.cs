using Qcow2.Engine.Format;

namespace Qcow2.Engine.Metadata;

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

    /// <summary>Finds what lies at a guest offset and how far it goes on.</summary>
    /// <param name="offset">Guest offset; inside what the L1 table covers.</param>
    /// <param name="maxLength">Most bytes wanted; at least 1.</param>
    /// <exception cref="Qcow2Exception">An entry breaks the specification.</exception>
    internal ClusterRun Find(long offset, long maxLength)
    {
        ClusterRun run = FindStep(offset, maxLength, out bool mayContinue);
        while (mayContinue && run.Length < maxLength)
        {
            ClusterRun next = FindStep(offset + run.Length, maxLength - run.Length, out mayContinue);
            if (!run.IsContinuedBy(next))
            {
                break;
            }

            run = run with { Length = run.Length + next.Length };
        }

        return run;
    }

    /// <summary>One look into one L2 slice. It may continue where the run ended only because the slice did.</summary>
    private ClusterRun FindStep(long offset, long maxLength, out bool mayContinue)
    {
        int l1Index = (int)(offset >> _geometry.L1CoverageBits);
        L1Entry l1Entry = _l1[l1Index];
        if (!l1Entry.IsUsed)
        {
            int lastIndex = (int)((offset + maxLength - 1) >> _geometry.L1CoverageBits);
            long end = (long)(l1Index + _l1.CountUnused(l1Index, lastIndex + 1)) << _geometry.L1CoverageBits;
            mayContinue = true;
            return new ClusterRun(ClusterState.Unallocated, Math.Min(maxLength, end - offset));
        }

        if (!_geometry.IsClusterAligned(l1Entry.Offset))
        {
            throw Qcow2Errors.Corrupt(
                $"L1 entry {l1Index} points to an L2 table at 0x{l1Entry.Offset:x}, which is not a multiple of the cluster size {_geometry.ClusterSize}.");
        }

        int l2Index = (int)(offset >> _geometry.ClusterBits) & ((1 << _geometry.L2Bits) - 1);
        int sliceIndex = l2Index / _l2.EntriesPerSlice;
        int index = l2Index - (sliceIndex * _l2.EntriesPerSlice);
        ulong[] slice = _l2.GetSlice(l1Entry.Offset, sliceIndex);

        return _geometry.IsExtendedL2
            ? FindExtended(slice, index, offset, maxLength, out mayContinue)
            : FindStandard(slice, index, offset, maxLength, out mayContinue);
    }

    private ClusterRun FindStandard(ulong[] slice, int index, long offset, long maxLength, out bool mayContinue)
    {
        var entry = new L2Entry(slice[index]);
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
        int count = CountAlike(slice.AsSpan(index, limit), state);
        mayContinue = index + count == slice.Length;
        long length = Math.Min(maxLength, ((long)count << _geometry.ClusterBits) - inCluster);
        return new ClusterRun(state, length, entry.Offset + inCluster);
    }

    /// <summary>Number of entries, from the first on, that continue it.</summary>
    private int CountAlike(ReadOnlySpan<ulong> entries, ClusterState state)
    {
        if (state == ClusterState.Unallocated && entries[0] == 0)
        {
            return SpanSearch.CountLeadingZeroWords(entries);
        }

        const ulong Compared = L2Entry.OffsetMask | L2Entry.CompressedFlag | L2Entry.ZeroFlag;
        ulong step = state is ClusterState.Data or ClusterState.ZeroAllocated ? (ulong)_geometry.ClusterSize : 0;
        ulong expected = entries[0] & Compared;
        int count = 1;
        while (count < entries.Length)
        {
            expected += step;
            if ((entries[count] & Compared) != expected)
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
