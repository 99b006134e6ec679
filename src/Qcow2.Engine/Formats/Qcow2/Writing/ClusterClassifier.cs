using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>Decides for each cluster of what was read, or each subcluster, whether it needs a place.</summary>
/// <param name="header">The destination's header.</param>
/// <param name="detectsZeros">Whether clusters of zeros need none.</param>
/// <param name="needsZeros">Whether they must be said to be zeros, because something else would show.</param>
internal sealed class ClusterClassifier(Qcow2Header header, bool detectsZeros, bool needsZeros)
{
    private readonly int _clusterSize = header.ClusterSize;
    private readonly int _unit = 1 << header.Geometry.SubclusterBits;
    private readonly bool _hasSubclusters = header.Geometry.IsExtendedL2;

    // Version 2 cannot say that a cluster reads as zeros although a backing file has something there.
    private readonly bool _hasZeroFlag = header.Version >= 3 || header.BackingFile is null;

    private enum State
    {
        AsItIs,
        Zero,
        Data,
    }

    /// <summary>Divides data that goes where nothing is.</summary>
    /// <param name="data">The data; it starts at a cluster.</param>
    /// <param name="segments">Where the segments are added.</param>
    internal void Classify(ReadOnlySpan<byte> data, List<Segment> segments) => Classify(data, default, isCompared: false, segments);

    /// <summary>Divides data by how it differs from what shows there already.</summary>
    /// <param name="data">The data; it starts at a cluster.</param>
    /// <param name="old">What shows; as long as the data.</param>
    /// <param name="segments">Where the segments are added.</param>
    internal void Classify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> old, List<Segment> segments) => Classify(data, old, isCompared: true, segments);

    private void Classify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> old, bool isCompared, List<Segment> segments)
    {
        for (int start = 0; start < data.Length; start += _clusterSize)
        {
            ReadOnlySpan<byte> cluster = data.Slice(start, Math.Min(_clusterSize, data.Length - start));
            ReadOnlySpan<byte> before = isCompared ? old.Slice(start, cluster.Length) : default;
            if (_hasSubclusters)
            {
                AddSubclusters(start, cluster, before, isCompared, segments);
            }
            else
            {
                Add(start, cluster.Length, StateOf(cluster, before, isCompared), segments);
            }
        }
    }

    private void AddSubclusters(int start, ReadOnlySpan<byte> cluster, ReadOnlySpan<byte> before, bool isCompared, List<Segment> segments)
    {
        uint data = 0;
        uint zero = 0;
        for (int i = 0; i << header.Geometry.SubclusterBits < cluster.Length; i++)
        {
            int from = i << header.Geometry.SubclusterBits;
            int length = Math.Min(_unit, cluster.Length - from);
            State state = StateOf(cluster.Slice(from, length), isCompared ? before.Slice(from, length) : default, isCompared);
            data |= state == State.Data ? 1u << i : 0;
            zero |= state == State.Zero ? 1u << i : 0;
        }

        if (data != 0)
        {
            segments.Add(new Segment(SegmentKind.Data, start, cluster.Length, new SubclusterBitmap(data, zero)));
            return;
        }

        for (int i = 0; i < SubclusterBitmap.Count && zero != 0; i++, zero >>= 1)
        {
            if ((zero & 1) != 0)
            {
                int from = i << header.Geometry.SubclusterBits;
                Add(start + from, Math.Min(_unit, cluster.Length - from), State.Zero, segments);
            }
        }
    }

    private State StateOf(ReadOnlySpan<byte> data, ReadOnlySpan<byte> before, bool isCompared)
    {
        if (isCompared && data.SequenceEqual(before))
        {
            return State.AsItIs;
        }

        if (!detectsZeros || !SpanSearch.IsAllZero(data))
        {
            return State.Data;
        }

        return !needsZeros ? State.AsItIs : _hasZeroFlag ? State.Zero : State.Data;
    }

    /// <summary>Adds a segment, or makes the last one longer.</summary>
    private static void Add(int start, int length, State state, List<Segment> segments)
    {
        if (state == State.AsItIs)
        {
            return;
        }

        SegmentKind kind = state == State.Zero ? SegmentKind.Zero : SegmentKind.Data;
        int last = segments.Count - 1;
        if (last >= 0 && segments[last].Kind == kind && segments[last].Content is null && segments[last].Start + segments[last].Length == start)
        {
            segments[last] = segments[last] with { Length = segments[last].Length + length };
        }
        else
        {
            segments.Add(new Segment(kind, start, length));
        }
    }
}
