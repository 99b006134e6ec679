using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>Clusters that are being written to new places, between the planning and the publishing of it.</summary>
internal sealed class WritePlan
{
    /// <summary>Guest offset of the first cluster.</summary>
    internal required long Start { get; init; }

    /// <summary>Clusters, next to each other on the disk and in the file.</summary>
    internal required int Count { get; init; }

    /// <summary>Host offset of the first cluster.</summary>
    internal required long HostOffset { get; init; }

    /// <summary>Whether the host clusters read as zeros.</summary>
    internal required bool IsFresh { get; init; }

    /// <summary>Whether the clusters stay where they are, and only their entries change.</summary>
    internal required bool KeepsHost { get; init; }

    /// <summary>The entries as they were, of these clusters at least.</summary>
    internal required IReadOnlyList<(L2Entry Entry, SubclusterBitmap Bitmap)> Old { get; init; }

    /// <summary>Guest offset of the first byte that must be right afterwards; start of a subcluster.</summary>
    internal required long SpanStart { get; init; }

    /// <summary>Guest offset after the last such byte.</summary>
    internal required long SpanEnd { get; init; }

    /// <summary>Guest offset of the new data, inside the span.</summary>
    internal required long DataOffset { get; init; }

    /// <summary>Bytes of new data.</summary>
    internal required long DataLength { get; init; }

    /// <summary>
    /// Which subclusters of the one cluster are to hold data, and which are to read as zeros, where not all of the span does; null
    /// where it does.
    /// </summary>
    internal SubclusterBitmap? Content { get; set; }

    internal long ToHost(long guestOffset) => HostOffset + (guestOffset - Start);
}
