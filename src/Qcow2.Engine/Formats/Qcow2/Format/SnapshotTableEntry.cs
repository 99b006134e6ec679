using System.Buffers.Binary;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Format;

/// <summary>One entry of the snapshot table (spec: "Snapshots"). Extra data is kept as it was.</summary>
public sealed record SnapshotTableEntry
{
    /// <summary>Bytes of an entry before its extra data, id and name.</summary>
    public const int FixedLength = 40;

    /// <summary>Extra data that version 3 requires: the 64-bit VM state size and the disk size.</summary>
    public const int Version3ExtraDataLength = 16;

    /// <summary>Extra data that is known: what version 3 requires, and the instruction count.</summary>
    internal const int KnownExtraDataLength = 24;

    private const int DiskSizeOffset = 8;
    private const int InstructionCountOffset = 16;
    private const int WrittenExtraDataLength = 24;

    /// <summary>
    /// What is wrong with the snapshot; null if nothing is. It can then be removed, but neither read nor applied. Known of the
    /// snapshots of an image, and of what <see cref="Parse"/> can see.
    /// </summary>
    public string? Problem { get; init; }

    /// <summary>Host offset of the snapshot's L1 table, in bytes; as stored, whatever that is, where there is a <see cref="Problem"/>.</summary>
    public long L1TableOffset { get; init; }

    /// <summary>Number of entries in the snapshot's L1 table; as stored, whatever that is, where there is a <see cref="Problem"/>.</summary>
    public int L1Size { get; init; }

    /// <summary>When the snapshot was taken: seconds since 1970-01-01 UTC.</summary>
    public uint DateSeconds { get; init; }

    /// <summary>The rest of the time, in nanoseconds.</summary>
    public uint DateNanoseconds { get; init; }

    /// <summary>How long the guest had been running, in nanoseconds.</summary>
    public ulong VmClockNanoseconds { get; init; }

    /// <summary>The 32-bit VM state size, which counts only where the extra data has no 64-bit one.</summary>
    public uint VmStateSize32 { get; init; }

    /// <summary>The extra data, unknown fields included.</summary>
    public ReadOnlyMemory<byte> ExtraData { get; init; }

    /// <summary>The unique id.</summary>
    public string Id => FormatText.Decode(IdBytes.Span);

    /// <summary>The name, which need not be unique.</summary>
    public string Name => FormatText.Decode(NameBytes.Span);

    /// <summary>Size of the VM state, in bytes; 0 when there is none.</summary>
    public ulong VmStateSize
        => ExtraData.Length >= DiskSizeOffset ? BinaryPrimitives.ReadUInt64BigEndian(ExtraData.Span) : VmStateSize32;

    /// <summary>Size of the disk when the snapshot was taken, in bytes; null where the entry does not say.</summary>
    public ulong? DiskSize => ExtraData.Length >= InstructionCountOffset
        ? BinaryPrimitives.ReadUInt64BigEndian(ExtraData.Span.Slice(DiskSizeOffset))
        : null;

    /// <summary>What is said of the L1 table can be said of one: the place and the size, not the content.</summary>
    internal bool HasL1Place(ClusterGeometry geometry)
        => L1Size is >= 0 and <= (int)(Qcow2Limits.MaxL1TableBytes / L1Entry.Length)
            && L1TableOffset is >= 0 and < Qcow2Limits.HostOffsetEnd && geometry.IsClusterAligned(L1TableOffset);

    /// <summary>Fails if the snapshot is damaged.</summary>
    /// <exception cref="Qcow2Exception">It is.</exception>
    internal void EnsureSound()
    {
        if (Problem is not null)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.SnapshotDamaged,
                $"The snapshot '{PrintableText.Of(Name)}' (id {PrintableText.Of(Id)}) is damaged, and cannot be used: {Problem} "
                + "The disk itself and other snapshots are not affected. Repair-Qcow2Image -Mode All mends what can be mended, Remove-Qcow2Snapshot removes the snapshot.");
        }
    }

    /// <summary>What an error calls the snapshot's L1 table.</summary>
    internal string L1TableName => $"The L1 table of snapshot '{PrintableText.Of(Id)}'";

    /// <summary>Size of the disk when the snapshot was taken, in bytes.</summary>
    /// <param name="header">The image's header, whose size counts where the entry does not say.</param>
    /// <exception cref="Qcow2Exception">The snapshot's L1 table is too small for it.</exception>
    internal long DiskSizeIn(Qcow2Header header)
    {
        ulong size = DiskSize ?? (ulong)header.Size;
        return size > long.MaxValue || header.Geometry.L1EntriesFor((long)size) > L1Size
            ? throw Qcow2Errors.Corrupt($"{L1TableName} has {L1Size} entries, too few for its disk of {size} bytes.")
            : (long)size;
    }

    /// <summary>Record/replay instruction count; null where the entry has none or recording was off.</summary>
    public ulong? InstructionCount
        => ExtraData.Length >= InstructionCountOffset + 8
            && BinaryPrimitives.ReadUInt64BigEndian(ExtraData.Span.Slice(InstructionCountOffset)) is not ulong.MaxValue and ulong count
        ? count
        : null;

    /// <summary>Bytes the entry takes, padding included.</summary>
    public int TotalLength => (FixedLength + ExtraData.Length + IdBytes.Length + NameBytes.Length + 7) & ~7;

    /// <summary>The id's bytes.</summary>
    internal ReadOnlyMemory<byte> IdBytes { get; init; }

    /// <summary>The name's bytes, which need not be UTF-8.</summary>
    internal ReadOnlyMemory<byte> NameBytes { get; init; }

    /// <summary>Makes the entry of a snapshot without VM state, with the extra data that QEMU writes (in version 2 too).</summary>
    /// <param name="id">The unique id.</param>
    /// <param name="name">The name.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    /// <param name="instructionCount">Record/replay instruction count; null where recording is off.</param>
    internal static SnapshotTableEntry Create(string id, string name, long diskSize, ulong? instructionCount)
    {
        byte[] extra = new byte[WrittenExtraDataLength];
        BinaryPrimitives.WriteInt64BigEndian(extra.AsSpan(DiskSizeOffset), diskSize);
        BinaryPrimitives.WriteUInt64BigEndian(extra.AsSpan(InstructionCountOffset), instructionCount ?? ulong.MaxValue);
        return new SnapshotTableEntry { IdBytes = FormatText.Encode(id), NameBytes = FormatText.Encode(name), ExtraData = extra };
    }

    /// <summary>The same snapshot with the extra data that version 3 requires.</summary>
    /// <param name="diskSize">Size of the image's disk, which is the snapshot's where the entry does not say, in bytes.</param>
    internal SnapshotTableEntry Completed(long diskSize)
    {
        if (ExtraData.Length >= Version3ExtraDataLength)
        {
            return this;
        }

        byte[] extra = new byte[WrittenExtraDataLength];
        BinaryPrimitives.WriteUInt64BigEndian(extra, VmStateSize);
        BinaryPrimitives.WriteInt64BigEndian(extra.AsSpan(DiskSizeOffset), diskSize);
        BinaryPrimitives.WriteUInt64BigEndian(extra.AsSpan(InstructionCountOffset), ulong.MaxValue);
        return this with { ExtraData = extra };
    }

    /// <summary>The same snapshot under another name.</summary>
    internal SnapshotTableEntry Renamed(string name) => this with { NameBytes = FormatText.Encode(name) };

    /// <summary>
    /// Reads how long the entry at the start of a span is, padding included, so that a caller can fetch it whole.
    /// </summary>
    /// <param name="fixedPart">The first 40 bytes of the entry.</param>
    /// <exception cref="Qcow2Exception">The extra data is longer than a whole table may be.</exception>
    public static int ReadTotalLength(ReadOnlySpan<byte> fixedPart)
    {
        int idLength = BinaryPrimitives.ReadUInt16BigEndian(fixedPart.Slice(12));
        int nameLength = BinaryPrimitives.ReadUInt16BigEndian(fixedPart.Slice(14));
        uint extraLength = BinaryPrimitives.ReadUInt32BigEndian(fixedPart.Slice(36));
        if (extraLength > Qcow2Limits.MaxSnapshotTableBytes)
        {
            throw Qcow2Errors.Limit("A snapshot's extra data size", extraLength, Qcow2Limits.MaxSnapshotExtraDataBytes, "bytes");
        }

        return (FixedLength + (int)extraLength + idLength + nameLength + 7) & ~7;
    }

    /// <summary>Reads the entry at the start of a span.</summary>
    /// <param name="table">The table, from this entry on. The padding of the last entry may be missing.</param>
    /// <param name="geometry">The image's cluster sizes.</param>
    /// <returns>The entry; what is wrong with its fields is its <see cref="Problem"/>.</returns>
    /// <exception cref="Qcow2Exception">The entry runs past the span.</exception>
    public static SnapshotTableEntry Parse(ReadOnlySpan<byte> table, ClusterGeometry geometry)
    {
        if (table.Length < FixedLength)
        {
            throw Qcow2Errors.Corrupt($"The snapshot table ends {table.Length} bytes into an entry, which takes at least {FixedLength}.");
        }

        _ = ReadTotalLength(table);
        int idLength = BinaryPrimitives.ReadUInt16BigEndian(table.Slice(12));
        int nameLength = BinaryPrimitives.ReadUInt16BigEndian(table.Slice(14));
        int extraLength = BinaryPrimitives.ReadInt32BigEndian(table.Slice(36));
        if (table.Length < FixedLength + extraLength + idLength + nameLength)
        {
            throw Qcow2Errors.Corrupt(
                $"A snapshot table entry with {extraLength} bytes of extra data, an id of {idLength} and a name of {nameLength} bytes "
                + "runs past the table's end.");
        }

        ReadOnlySpan<byte> strings = table.Slice(FixedLength + extraLength);
        byte[] id = strings.Slice(0, idLength).ToArray();
        byte[] name = strings.Slice(idLength, nameLength).ToArray();

        ulong l1Offset = BinaryPrimitives.ReadUInt64BigEndian(table);
        uint l1Size = BinaryPrimitives.ReadUInt32BigEndian(table.Slice(8));
        return new SnapshotTableEntry
        {
            Problem = FindProblem(l1Offset, l1Size, extraLength, geometry),
            L1TableOffset = (long)l1Offset,
            L1Size = (int)l1Size,
            DateSeconds = BinaryPrimitives.ReadUInt32BigEndian(table.Slice(16)),
            DateNanoseconds = BinaryPrimitives.ReadUInt32BigEndian(table.Slice(20)),
            VmClockNanoseconds = BinaryPrimitives.ReadUInt64BigEndian(table.Slice(24)),
            VmStateSize32 = BinaryPrimitives.ReadUInt32BigEndian(table.Slice(32)),
            ExtraData = table.Slice(FixedLength, extraLength).ToArray(),
            IdBytes = id,
            NameBytes = name,
        };
    }

    private static string? FindProblem(ulong l1Offset, uint l1Size, int extraLength, ClusterGeometry geometry)
    {
        const ulong MaxL1Size = (ulong)Qcow2Limits.MaxL1TableBytes / L1Entry.Length;
        if (l1Size > MaxL1Size)
        {
            return Qcow2Errors.Limit("l1_size", l1Size, MaxL1Size, "entries").Message;
        }

        if (l1Offset >= (ulong)Qcow2Limits.HostOffsetEnd || !geometry.IsClusterAligned((long)l1Offset))
        {
            return Qcow2Errors.Misaligned("l1_table_offset", l1Offset, geometry.ClusterSize).Message;
        }

        return extraLength > Qcow2Limits.MaxSnapshotExtraDataBytes
            ? Qcow2Errors.Limit("The size of the extra data", (ulong)extraLength, Qcow2Limits.MaxSnapshotExtraDataBytes, "bytes").Message
            : null;
    }

    /// <summary>Writes the entry with its padding.</summary>
    /// <param name="destination">At least <see cref="TotalLength"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination = destination.Slice(0, TotalLength);
        BinaryPrimitives.WriteInt64BigEndian(destination, L1TableOffset);
        BinaryPrimitives.WriteInt32BigEndian(destination.Slice(8), L1Size);
        BinaryPrimitives.WriteUInt16BigEndian(destination.Slice(12), (ushort)IdBytes.Length);
        BinaryPrimitives.WriteUInt16BigEndian(destination.Slice(14), (ushort)NameBytes.Length);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(16), DateSeconds);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(20), DateNanoseconds);
        BinaryPrimitives.WriteUInt64BigEndian(destination.Slice(24), VmClockNanoseconds);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(32), VmStateSize32);
        BinaryPrimitives.WriteInt32BigEndian(destination.Slice(36), ExtraData.Length);
        ExtraData.Span.CopyTo(destination.Slice(FixedLength));

        Span<byte> strings = destination.Slice(FixedLength + ExtraData.Length);
        IdBytes.Span.CopyTo(strings);
        NameBytes.Span.CopyTo(strings.Slice(IdBytes.Length));
        strings.Slice(IdBytes.Length + NameBytes.Length).Clear();
    }
}
