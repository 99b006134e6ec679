using System.Buffers;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>What is to become of a part of a parcel in a QCOW2 image.</summary>
internal enum SegmentKind
{
    /// <summary>It gets host clusters.</summary>
    Data,

    /// <summary>It is to read as zeros.</summary>
    Zero,

    /// <summary>One cluster, compressed.</summary>
    Compressed,
}

/// <summary>A part of a parcel that is all of one kind.</summary>
/// <param name="Kind">What becomes of it.</param>
/// <param name="Start">Where it starts in the parcel.</param>
/// <param name="Length">Bytes of the disk.</param>
/// <param name="Content">Of a single cluster with subclusters: which of them hold data, and which are to read as zeros.</param>
/// <param name="CompressedStart">Where its compressed data starts in <see cref="Qcow2Parcel.Compressed"/>.</param>
/// <param name="CompressedLength">Bytes of compressed data.</param>
internal readonly record struct Segment(
    SegmentKind Kind, int Start, int Length, SubclusterBitmap? Content = null, int CompressedStart = 0, int CompressedLength = 0);

/// <summary>A parcel on its way into a QCOW2 image.</summary>
/// <param name="capacity">Bytes that it can hold.</param>
/// <param name="compresses">Whether there is room for compressed data.</param>
/// <param name="compares">Whether there is room for what the backing file has.</param>
internal sealed class Qcow2Parcel(int capacity, bool compresses, bool compares) : CopyParcel(capacity)
{
    /// <summary>What becomes of the parcel, in order; what is in none of them stays as it is.</summary>
    internal List<Segment> Segments { get; } = [];

    /// <summary>Writes whose place is decided, in order.</summary>
    internal List<ReservedWrite> Writes { get; } = [];

    /// <summary>How many of the writes were carried out, or began to be.</summary>
    internal int WritesDone { get; set; }

    /// <summary>Places of compressed clusters, in the order of their data in <see cref="Compressed"/>.</summary>
    internal List<CompressedReservation> Places { get; } = [];

    /// <summary>How many of the places were written to, or began to be.</summary>
    internal int PlacesDone { get; set; }

    /// <summary>Compressed data of one cluster after the other.</summary>
    internal byte[] Compressed { get; } = compresses ? ArrayPool<byte>.Shared.Rent(capacity) : [];

    /// <summary>What the backing file has there.</summary>
    internal byte[] Old { get; } = compares ? ArrayPool<byte>.Shared.Rent(capacity) : [];

    /// <summary>Makes room for the next piece.</summary>
    internal void Clear()
    {
        Segments.Clear();
        Writes.Clear();
        Places.Clear();
        WritesDone = 0;
        PlacesDone = 0;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        Return(Compressed);
        Return(Old);
    }

    private static void Return(byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
