using System.Buffers.Binary;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Format;

/// <summary>Flags of a bitmap directory entry (spec: "Bitmap directory").</summary>
[Flags]
public enum BitmapFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The bitmap was not saved when the image was last closed; what it says may be outdated.</summary>
    InUse = 1 << 0,

    /// <summary>The bitmap is enabled: it records every write to the disk.</summary>
    Auto = 1 << 1,

    /// <summary>The bitmap may be used even though its extra data is not understood.</summary>
    ExtraDataCompatible = 1 << 2,
}

/// <summary>The kind of a bitmap (spec: "Bitmap directory"). Other numbers are reserved.</summary>
public enum BitmapType : byte
{
    /// <summary>Records which parts of the disk were written to.</summary>
    DirtyTracking = 1,
}

/// <summary>One entry of the bitmap directory (spec: "Bitmap directory").</summary>
public sealed record BitmapDirectoryEntry
{
    /// <summary>Bytes of an entry before its extra data and name.</summary>
    public const int FixedLength = 24;

    private const BitmapFlags KnownFlags = BitmapFlags.InUse | BitmapFlags.Auto | BitmapFlags.ExtraDataCompatible;

    /// <summary>What is wrong with the bitmap, whose fields are then as stored, whatever that is; null if nothing is.</summary>
    public string? Problem { get; init; }

    /// <summary>Host offset of the bitmap table, in bytes.</summary>
    public long TableOffset { get; init; }

    /// <summary>Number of entries in the bitmap table.</summary>
    public int TableSize { get; init; }

    /// <summary>The bitmap's flags.</summary>
    public BitmapFlags Flags { get; init; }

    /// <summary>The bitmap's kind.</summary>
    public BitmapType Type { get; init; } = BitmapType.DirtyTracking;

    /// <summary>Granularity as a power of two; 9 to 31.</summary>
    public int GranularityBits { get; init; } = 16;

    /// <summary>Type-specific data, none of which is defined yet. Kept as it was.</summary>
    public ReadOnlyMemory<byte> ExtraData { get; init; }

    /// <summary>The bitmap's name.</summary>
    public string Name => FormatText.Decode(NameBytes.Span);

    /// <summary>Bytes of the disk that one bit stands for.</summary>
    public long Granularity => 1L << GranularityBits;

    /// <summary>Bytes the entry takes, padding included.</summary>
    public int TotalLength => (FixedLength + ExtraData.Length + NameBytes.Length + 7) & ~7;

    /// <summary>The name's bytes, which need not be UTF-8.</summary>
    internal ReadOnlyMemory<byte> NameBytes { get; init; }

    /// <summary>Returns the entry with another name.</summary>
    /// <param name="name">At most 1,023 bytes of UTF-8, at least one.</param>
    public BitmapDirectoryEntry WithName(string name) => this with { NameBytes = FormatText.Encode(name) };

    /// <summary>Reads the entry at the start of a span.</summary>
    /// <param name="directory">The directory, from this entry on.</param>
    /// <param name="geometry">The image's cluster sizes.</param>
    /// <exception cref="Qcow2Exception">A field breaks the specification or a limit, or the entry runs past the directory.</exception>
    public static BitmapDirectoryEntry Parse(ReadOnlySpan<byte> directory, ClusterGeometry geometry)
    {
        BitmapDirectoryEntry entry = Read(directory, geometry, out Qcow2Exception? fault);
        return fault is null ? entry : throw fault;
    }

    /// <summary>Reads the entry at the start of a span, whatever its fields hold.</summary>
    /// <param name="directory">The directory, from this entry on.</param>
    /// <param name="geometry">The image's cluster sizes.</param>
    /// <param name="fault">The first field that breaks the specification or a limit; null if none does.</param>
    /// <exception cref="Qcow2Exception">The entry has no sound length, or runs past the directory.</exception>
    internal static BitmapDirectoryEntry Read(ReadOnlySpan<byte> directory, ClusterGeometry geometry, out Qcow2Exception? fault)
    {
        if (directory.Length < FixedLength)
        {
            throw Qcow2Errors.Corrupt($"The bitmap directory ends {directory.Length} bytes into an entry, which takes at least {FixedLength}.");
        }

        ulong tableOffset = BinaryPrimitives.ReadUInt64BigEndian(directory);
        uint tableSize = BinaryPrimitives.ReadUInt32BigEndian(directory.Slice(8));
        var flags = (BitmapFlags)BinaryPrimitives.ReadUInt32BigEndian(directory.Slice(12));
        byte type = directory[16];
        byte granularityBits = directory[17];
        int nameLength = BinaryPrimitives.ReadUInt16BigEndian(directory.Slice(18));
        uint extraLength = BinaryPrimitives.ReadUInt32BigEndian(directory.Slice(20));

        if (nameLength is 0 or > Qcow2Limits.MaxBitmapNameBytes)
        {
            throw Qcow2Errors.Corrupt($"A bitmap's name_size is {nameLength}; it must be 1 to {Qcow2Limits.MaxBitmapNameBytes}.");
        }

        if (extraLength > (uint)(directory.Length - FixedLength) || directory.Length - FixedLength - (int)extraLength < nameLength)
        {
            throw Qcow2Errors.Corrupt(
                $"A bitmap directory entry with extra_data_size {extraLength} and name_size {nameLength} runs past the directory's end.");
        }

        byte[] name = directory.Slice(FixedLength + (int)extraLength, nameLength).ToArray();
        string shown = PrintableText.Of(FormatText.Decode(name));

        fault = FindFault(shown, tableOffset, tableSize, flags, type, granularityBits, geometry);
        return new BitmapDirectoryEntry
        {
            TableOffset = (long)tableOffset,
            TableSize = (int)tableSize,
            Flags = flags,
            Type = (BitmapType)type,
            GranularityBits = granularityBits,
            ExtraData = directory.Slice(FixedLength, (int)extraLength).ToArray(),
            NameBytes = name,
        };
    }

    private static Qcow2Exception? FindFault(
        string shown, ulong tableOffset, uint tableSize, BitmapFlags flags, byte type, byte granularityBits, ClusterGeometry geometry)
    {
        if (type != (byte)BitmapType.DirtyTracking)
        {
            return Qcow2Errors.Unsupported($"Bitmap '{shown}' has type {type}; the only known type is 1 (dirty tracking).");
        }

        if ((flags & ~KnownFlags) != 0)
        {
            return Qcow2Errors.Corrupt($"Bitmap '{shown}' has the flags 0x{(uint)flags:x}, of which some are reserved.");
        }

        if (granularityBits is < Qcow2Limits.MinBitmapGranularityBits or > Qcow2Limits.MaxBitmapGranularityBits)
        {
            return new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"Bitmap '{shown}' has granularity_bits {granularityBits}; the limits are "
                + $"{Qcow2Limits.MinBitmapGranularityBits} and {Qcow2Limits.MaxBitmapGranularityBits}.");
        }

        if (tableSize > Qcow2Limits.MaxBitmapTableEntries)
        {
            return Qcow2Errors.Limit($"bitmap_table_size of bitmap '{shown}'", tableSize, Qcow2Limits.MaxBitmapTableEntries, "entries");
        }

        return tableOffset >= (ulong)Qcow2Limits.HostOffsetEnd || !geometry.IsClusterAligned((long)tableOffset)
            ? Qcow2Errors.Misaligned($"bitmap_table_offset of bitmap '{shown}'", tableOffset, geometry.ClusterSize)
            : null;
    }

    /// <summary>Writes the entry with its padding.</summary>
    /// <param name="destination">At least <see cref="TotalLength"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination = destination.Slice(0, TotalLength);
        BinaryPrimitives.WriteInt64BigEndian(destination, TableOffset);
        BinaryPrimitives.WriteInt32BigEndian(destination.Slice(8), TableSize);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(12), (uint)Flags);
        destination[16] = (byte)Type;
        destination[17] = (byte)GranularityBits;
        BinaryPrimitives.WriteUInt16BigEndian(destination.Slice(18), (ushort)NameBytes.Length);
        BinaryPrimitives.WriteInt32BigEndian(destination.Slice(20), ExtraData.Length);
        ExtraData.Span.CopyTo(destination.Slice(FixedLength));
        NameBytes.Span.CopyTo(destination.Slice(FixedLength + ExtraData.Length));
        destination.Slice(FixedLength + ExtraData.Length + NameBytes.Length).Clear();
    }
}
