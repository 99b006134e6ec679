using System.Buffers.Binary;

namespace Qcow2.Tests;

/// <summary>The bytes of an image, where its parts lie, and the means to change it. Every change returns the image.</summary>
public sealed class BuiltImage
{
    internal BuiltImage(byte[] bytes, byte[] guest)
    {
        Bytes = bytes;
        Guest = guest;
    }

    /// <summary>The file.</summary>
    public byte[] Bytes { get; private set; }

    /// <summary>The disk that a guest sees, as it was before any change; the image's own clusters, without a backing file.</summary>
    public byte[] Guest { get; }

    public required int ClusterSize { get; init; }

    /// <summary>8, or 16 with extended L2 entries.</summary>
    public required int L2EntrySize { get; init; }

    public required int L1Offset { get; init; }

    /// <summary>Of the only L2 table.</summary>
    public required int L2Offset { get; init; }

    public required int RefcountTableOffset { get; init; }

    /// <summary>Of the only refcount block.</summary>
    public required int RefcountBlockOffset { get; init; }

    /// <summary>Where each guest cluster's data begins; for compressed ones, where the stream does.</summary>
    public required IReadOnlyList<int> DataOffsets { get; init; }

    /// <summary>Where each entry of the snapshot table begins.</summary>
    public required IReadOnlyList<int> SnapshotEntryOffsets { get; init; }

    /// <summary>Where the L1 table of each snapshot begins.</summary>
    public required IReadOnlyList<int> SnapshotL1Offsets { get; init; }

    /// <summary>Where each entry of the bitmap directory begins.</summary>
    public required IReadOnlyList<int> BitmapEntryOffsets { get; init; }

    /// <summary>Where the table of each bitmap begins.</summary>
    public required IReadOnlyList<int> BitmapTableOffsets { get; init; }

    /// <summary>Where each header extension begins (its type field), and last the end mark.</summary>
    public required IReadOnlyList<(uint Type, int Offset)> Extensions { get; init; }

    /// <summary>Where the backing file's name begins; 0 without one.</summary>
    public required int BackingNameOffset { get; init; }

    /// <summary>Where the L2 entry of a guest cluster lies.</summary>
    public int L2EntryOffset(int guestCluster) => L2Offset + (guestCluster * L2EntrySize);

    /// <summary>Where a header extension begins (its type field).</summary>
    public int ExtensionOffset(uint type) => Extensions.First(extension => extension.Type == type).Offset;

    public ulong GetU64(int offset) => BinaryPrimitives.ReadUInt64BigEndian(Bytes.AsSpan(offset));

    public BuiltImage SetU8(int offset, byte value)
    {
        Bytes[offset] = value;
        return this;
    }

    public BuiltImage SetU16(int offset, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage SetU32(int offset, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    public BuiltImage SetU64(int offset, ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Bytes.AsSpan(offset), value);
        return this;
    }

    /// <summary>Flips bits of a 64-bit field.</summary>
    public BuiltImage FlipU64(int offset, ulong bits) => SetU64(offset, GetU64(offset) ^ bits);

    /// <summary>Writes bytes over what is there.</summary>
    public BuiltImage Overwrite(int offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Bytes.AsSpan(offset));
        return this;
    }

    /// <summary>Cuts the file off.</summary>
    public BuiltImage Truncate(int length)
    {
        Bytes = Bytes[..length];
        return this;
    }

    /// <summary>Adds bytes to the file's end.</summary>
    public BuiltImage Append(params ReadOnlySpan<byte> bytes)
    {
        Bytes = [.. Bytes, .. bytes];
        return this;
    }
}
