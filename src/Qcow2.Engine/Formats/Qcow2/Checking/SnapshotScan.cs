using System.Buffers.Binary;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Reads what can be read of a snapshot table, whatever its entries claim: extra data of any length is skipped, and what does not lie
/// in the file ends it.
/// </summary>
internal sealed class SnapshotScan
{
    private SnapshotScan(List<ScannedSnapshot> entries, long missing)
    {
        Entries = entries;
        Missing = missing;
    }

    /// <summary>The entries that are there.</summary>
    internal IReadOnlyList<ScannedSnapshot> Entries { get; }

    /// <summary>How many more the header counts.</summary>
    internal long Missing { get; }

    /// <summary>Reads the table that the header leads to.</summary>
    internal static SnapshotScan Read(BlockStorage image, Qcow2Header header, CancellationToken cancellationToken)
    {
        var entries = new List<ScannedSnapshot>();
        long count = header.SnapshotCount;
        long position = header.SnapshotsOffset;
        long length = image.Length;
        if (position <= 0 || !header.Geometry.IsClusterAligned(position))
        {
            return new SnapshotScan(entries, count);
        }

        long kept = 0;
        byte[] head = new byte[SnapshotTableEntry.FixedLength];
        while (entries.Count < Math.Min(count, Qcow2Limits.MaxSnapshots) && kept <= Qcow2Limits.MaxSnapshotTableBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (position > length - head.Length || image.Read(position, head) < head.Length)
            {
                break;
            }

            long extra = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(36));
            int idLength = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(12));
            int nameLength = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(14));
            if (position + head.Length + extra > length - idLength - nameLength)
            {
                if (GuessExtraLength(image, position + head.Length, idLength, nameLength) is not int guess)
                {
                    break;
                }

                extra = guess;
            }

            long strings = position + head.Length + extra;

            byte[] data = new byte[Math.Min(extra, Qcow2Limits.MaxSnapshotExtraDataBytes)];
            image.ReadZeroPadded(position + head.Length, data);
            byte[] texts = new byte[idLength + nameLength];
            image.ReadZeroPadded(strings, texts);
            entries.Add(new ScannedSnapshot(position, (byte[])head.Clone(), data, extra, texts.AsMemory(0, idLength), texts.AsMemory(idLength)));
            kept += head.Length + Math.Min(data.Length, SnapshotTableEntry.KnownExtraDataLength) + texts.Length;
            position = (strings + texts.Length + 7) & ~7L;
        }

        return new SnapshotScan(entries, count - entries.Count);
    }

    /// <summary>
    /// How much extra data an entry has that claims to be longer than the file: as much as anybody writes, if what follows that
    /// can be an id and a name.
    /// </summary>
    private static int? GuessExtraLength(BlockStorage image, long position, int idLength, int nameLength)
    {
        byte[] texts = new byte[idLength + nameLength];
        foreach (int extra in (ReadOnlySpan<int>)[SnapshotTableEntry.KnownExtraDataLength, SnapshotTableEntry.Version3ExtraDataLength, 0])
        {
            if (idLength > 0 && position + extra <= image.Length - texts.Length)
            {
                image.ReadZeroPadded(position + extra, texts);
                if (Array.TrueForAll(texts, value => value >= (byte)' ') && FormatText.Encode(FormatText.Decode(texts)).AsSpan().SequenceEqual(texts))
                {
                    return extra;
                }
            }
        }

        return null;
    }
}

/// <summary>An entry of the snapshot table as it lies in the file.</summary>
/// <param name="Position">Host offset of the entry.</param>
/// <param name="Head">The part of fixed length.</param>
/// <param name="Extra">The extra data, as much as the limit allows.</param>
/// <param name="ExtraLength">Length of the extra data in the file.</param>
/// <param name="Id">The id's bytes.</param>
/// <param name="Name">The name's bytes.</param>
internal sealed record ScannedSnapshot(
    long Position, byte[] Head, byte[] Extra, long ExtraLength, ReadOnlyMemory<byte> Id, ReadOnlyMemory<byte> Name)
{
    internal long ClaimedExtraLength => BinaryPrimitives.ReadUInt32BigEndian(Head.AsSpan(36));

    internal ulong L1Offset => BinaryPrimitives.ReadUInt64BigEndian(Head);

    internal uint L1Size => BinaryPrimitives.ReadUInt32BigEndian(Head.AsSpan(8));

    /// <summary>Whether it is no entry at all: zeros.</summary>
    internal bool IsEmpty => Id.Length + Name.Length == 0 && Array.TrueForAll(Head, value => value == 0);

    /// <summary>What to call it.</summary>
    internal string Shown => $"snapshot '{PrintableText.Of(FormatText.Decode(Name.Span))}' (id {PrintableText.Of(FormatText.Decode(Id.Span))})";

    /// <summary>
    /// Entries of the L1 table that the snapshot's disk takes, and behind it the saved state of its machine, which starts with an
    /// entry of its own.
    /// </summary>
    internal long L1EntriesNeeded(Qcow2Header header)
    {
        SnapshotTableEntry entry = ToEntry();
        ulong disk = entry.DiskSize ?? (ulong)header.Size;
        ulong state = entry.VmStateSize;
        return disk > long.MaxValue || state > long.MaxValue
            ? long.MaxValue
            : Math.Max(1, header.Geometry.L1EntriesFor((long)disk) + header.Geometry.L1EntriesFor((long)state));
    }

    /// <summary>The entry as a snapshot, its L1 table where it lies.</summary>
    internal SnapshotTableEntry ToEntry() => new()
    {
        L1TableOffset = (long)L1Offset,
        L1Size = (int)L1Size,
        DateSeconds = BinaryPrimitives.ReadUInt32BigEndian(Head.AsSpan(16)),
        DateNanoseconds = BinaryPrimitives.ReadUInt32BigEndian(Head.AsSpan(20)),
        VmClockNanoseconds = BinaryPrimitives.ReadUInt64BigEndian(Head.AsSpan(24)),
        VmStateSize32 = BinaryPrimitives.ReadUInt32BigEndian(Head.AsSpan(32)),
        ExtraData = Extra,
        IdBytes = Id,
        NameBytes = Name,
    };
}
