using Qcow2.Engine.Codecs;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <summary>
/// A QCOW2 image as the destination. Clusters are allocated in the order of the disk, whoever writes them, so that the same source
/// makes the same file.
/// </summary>
internal sealed class Qcow2Target : CopyTarget
{
    /// <summary>System calls cost little beside the copying of this much, and a parcel stays in the processor's cache.</summary>
    private const int PlainParcelBytes = 1 << 20;

    /// <summary>Compressing takes its time, so that smaller parcels keep all threads busy to the end.</summary>
    private const int CompressedParcelBytes = 512 << 10;

    private readonly Qcow2Image _image;
    private readonly DiskWriter _writer;
    private readonly ClusterClassifier _classifier;
    private readonly ClusterEncoderPool? _encoders;
    private readonly ClusterGeometry _geometry;
    private readonly VirtualDisk? _backing;
    private readonly PartialSectors _partialSectors;
    private readonly bool _isZero;
    private readonly bool _needsAllZeros;
    private readonly int _sparseSize;

    /// <summary>Prepares for copying into an image.</summary>
    /// <param name="image">The image, open for writing.</param>
    /// <param name="isZero">Whether its disk reads as zeros, but for the backing file.</param>
    /// <param name="backing">The backing file that the new image is compared with; null to write everything.</param>
    /// <param name="options">How.</param>
    internal Qcow2Target(Qcow2Image image, bool isZero, VirtualDisk? backing, ConversionOptions options)
    {
        _image = image;
        _writer = image.Writer;
        _geometry = image.Header.Geometry;
        _backing = backing;
        _partialSectors = new PartialSectors(backing);
        _isZero = isZero;
        _sparseSize = options.SparseSize;
        _needsAllZeros = options.OnlyWithin is not null;
        bool needsZeros = !isZero || backing is not null || options.OnlyWithin is not null;
        _classifier = new ClusterClassifier(image.Header, detectsZeros: options.SparseSize > 0, needsZeros);
        _encoders = options.Compress ? ClusterCodecs.Encoders(image.Header.CompressionType, options.CompressionLevel) : null;
    }

    /// <summary>Fails if an image cannot have what the options ask for.</summary>
    /// <exception cref="ArgumentException">It cannot.</exception>
    internal static void RequireCompressible(ConversionOptions options, CompressionType type, EncryptionMethod encryption, bool hasDataFile)
    {
        CompressionLevels.Resolve(type, options.CompressionLevel);
        if (options.Compress && (encryption != EncryptionMethod.None || hasDataFile))
        {
            throw new ArgumentException("An image that is encrypted or has an external data file cannot have compressed clusters.", nameof(options));
        }
    }

    /// <summary>Says of a part of the disk whether it is to be compressed; null where everything is.</summary>
    internal Func<long, long, bool>? IsToBeCompressed { get; init; }

    /// <summary>Whether the image may share what it gets with another file; not where its space was to be reserved.</summary>
    internal bool Shares { get; init; } = true;

    /// <inheritdoc/>
    internal override int Unit => _geometry.ClusterSize;

    /// <inheritdoc/>
    internal override int MaxParcelBytes => Math.Max(_geometry.ClusterSize, _encoders is null ? PlainParcelBytes : CompressedParcelBytes);

    /// <inheritdoc/>
    internal override bool WritesZeros => !_isZero;

    /// <summary>Encrypting is part of the writing, and takes most of its time.</summary>
    internal override int MaxWriters => _image.Header.EncryptionMethod == EncryptionMethod.None ? 1 : int.MaxValue;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel() => new Qcow2Parcel(MaxParcelBytes, _encoders is not null, _backing is not null);

    /// <inheritdoc/>
    internal override bool ComparesAll => _backing is not null;

    /// <inheritdoc/>
    internal override IEnumerable<DiskExtent> Select(IEnumerable<DiskExtent> extents)
        => _backing is null ? extents : DifferingExtents.Of(extents, _backing);

    /// <inheritdoc/>
    internal override long Reach(long length) => Math.Min(_image.Length, (length + Unit - 1) & ~((long)Unit - 1));

    /// <inheritdoc/>
    internal override void FillTail(long offset, Span<byte> buffer)
    {
        // Past a new disk's source there are zeros, whatever the backing file has there.
        if (_isZero)
        {
            buffer.Clear();
        }
        else
        {
            _image.ReadCore(offset, buffer);
        }
    }

    /// <inheritdoc/>
    internal override void Prepare(CopyParcel parcel)
    {
        var into = (Qcow2Parcel)parcel;
        into.Clear();
        if (!into.Piece.IsData)
        {
            return;
        }

        if (into.Piece.Shared is not null)
        {
            // Each is a reserved write, which is copied at once if it cannot be shared.
            for (int start = 0; start < into.Piece.Length; start += MaxParcelBytes)
            {
                into.Segments.Add(new Segment(SegmentKind.Data, start, (int)Math.Min(MaxParcelBytes, into.Piece.Length - start)));
            }

            return;
        }

        if (_backing is null)
        {
            _classifier.Classify(into.Data, into.Segments);
        }
        else
        {
            Span<byte> old = into.Old.AsSpan(0, into.Data.Length);
            int read = into.Piece.Offset < _backing.Length ? _backing.Read(into.Piece.Offset, old) : 0;
            old.Slice(read).Clear();
            _partialSectors.Distinguish(into.Piece.Offset, into.Data, old);
            _classifier.Classify(into.Data, old, into.Segments);
        }

        if (_encoders is not null)
        {
            Compress(into, _encoders);
        }
    }

    /// <inheritdoc/>
    internal override void Place(CopyParcel parcel)
    {
        var into = (Qcow2Parcel)parcel;
        long start = into.Piece.Offset;
        if (!into.Piece.IsData)
        {
            _writer.WriteZeroes(start, into.Piece.Length, keepAllocation: false);
        }

        foreach (Segment segment in into.Segments)
        {
            switch (segment.Kind)
            {
                case SegmentKind.Zero:
                    _writer.WriteZeroes(start + segment.Start, segment.Length, keepAllocation: false);
                    break;
                case SegmentKind.Compressed:
                    into.Places.Add(_writer.ReserveCompressed(start + segment.Start, segment.CompressedLength));
                    break;
                default:
                    _writer.Reserve(start + segment.Start, segment.Length, segment.Content, into.Writes);
                    break;
            }
        }
    }

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel)
    {
        var from = (Qcow2Parcel)parcel;
        while (from.WritesDone < from.Writes.Count)
        {
            ReservedWrite write = from.Writes[from.WritesDone++];
            _writer.Carry(write, from.Data.Slice((int)(write.Offset - from.Piece.Offset), write.Length), _sparseSize, SharesUnread ? null : Sharing);
        }

        FinishCompressed(from);
    }

    /// <inheritdoc/>
    internal override int ShareUnit(BlockStorage source, out string? refusal)
    {
        bool isPlain = _image.Header.EncryptionMethod == EncryptionMethod.None && (_encoders is null || IsToBeCompressed is not null);
        int block = 0;
        refusal = null;
        if (Shares && isPlain)
        {
            block = _writer.ShareUnit(source, out refusal);
        }

        // Clusters that are smaller lie anywhere in a block of the host.
        return (block > 0 || refusal is not null) && block <= Unit ? block : base.ShareUnit(source, out refusal);
    }

    /// <inheritdoc/>
    internal override bool SharesUnread => _backing is null && !_needsAllZeros && !FindsAllZeros;

    /// <summary>Whether every cluster is looked at for zeros, also what could be shared without that.</summary>
    internal bool FindsAllZeros { get; init; }

    /// <inheritdoc/>
    internal override void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read)
    {
        var from = (Qcow2Parcel)parcel;
        while (from.WritesDone < from.Writes.Count)
        {
            int count = 1;
            while (from.WritesDone + count < from.Writes.Count && from.Writes[from.WritesDone + count - 1].IsContinuedBy(from.Writes[from.WritesDone + count]))
            {
                count++;
            }

            if (_writer.TryShare(from.Writes.GetRange(from.WritesDone, count), from.Piece, sharing))
            {
                for (; count > 0; count--)
                {
                    _writer.Show(from.Writes[from.WritesDone++]);
                }

                continue;
            }

            for (; count > 0; count--)
            {
                ReservedWrite write = from.Writes[from.WritesDone++];
                Span<byte> data = from.Room.Slice(0, write.Length);
                _writer.CarryRead(write, data, read, _sparseSize);
            }
        }
    }

    /// <inheritdoc/>
    internal override void Abandon(CopyParcel parcel)
    {
        var from = (Qcow2Parcel)parcel;
        foreach (ReservedWrite write in from.Writes.Skip(from.WritesDone))
        {
            _writer.Abandon(write);
        }

        foreach (CompressedReservation place in from.Places.Skip(from.PlacesDone))
        {
            _writer.Abandon(place);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _encoders?.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Compresses each cluster of data that gets smaller by it.</summary>
    private void Compress(Qcow2Parcel parcel, ClusterEncoderPool encoders)
    {
        int filled = 0;
        for (int i = 0; i < parcel.Segments.Count; i++)
        {
            Segment segment = parcel.Segments[i];
            if (segment.Kind != SegmentKind.Data)
            {
                continue;
            }

            // A run of clusters is one segment: the first is compressed, the others become the next segment.
            if (segment.Length > Unit)
            {
                parcel.Segments.Insert(i + 1, segment with { Start = segment.Start + Unit, Length = segment.Length - Unit });
                segment = segment with { Length = Unit };
            }

            if (IsToBeCompressed?.Invoke(parcel.Piece.Offset + segment.Start, segment.Length) == false)
            {
                parcel.Segments[i] = segment;
                continue;
            }

            Span<byte> room = parcel.Compressed.AsSpan(filled, Math.Min(Unit, parcel.Compressed.Length - filled));
            if (encoders.TryEncode(parcel.Data.Slice(segment.Start, segment.Length), Unit, room, out int length))
            {
                segment = new Segment(SegmentKind.Compressed, segment.Start, segment.Length, null, filled, length);
                filled += length;
            }

            parcel.Segments[i] = segment;
        }
    }

    /// <summary>Writes compressed clusters that follow each other in the file at once.</summary>
    private void FinishCompressed(Qcow2Parcel from)
    {
        int start = 0;
        while (from.PlacesDone < from.Places.Count)
        {
            int first = from.PlacesDone;
            int length = 0;
            do
            {
                length += from.Places[from.PlacesDone++].Length;
            }
            while (from.PlacesDone < from.Places.Count && from.Places[from.PlacesDone].HostOffset == from.Places[first].HostOffset + length);

            _writer.CarryCompressed(from.Places.GetRange(first, from.PlacesDone - first), from.Compressed.AsSpan(start, length));
            start += length;
        }
    }
}
