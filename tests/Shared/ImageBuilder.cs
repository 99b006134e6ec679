using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Tests;

/// <summary>An entry of the snapshot table. The snapshot holds the same clusters as the active disk.</summary>
/// <param name="Id">The id string.</param>
/// <param name="Name">The name.</param>
/// <param name="ExtraDataLength">Bytes of extra data: the 64-bit VM state size, the disk size, icount, then zeros.</param>
public sealed record BuilderSnapshot(string Id, string Name, int ExtraDataLength = 24);

/// <summary>A dirty bitmap. Nothing in it is dirty.</summary>
/// <param name="Name">The name.</param>
/// <param name="GranularityBits">Log2 of the bytes that a bit stands for.</param>
/// <param name="Flags">1 in use, 2 auto, 4 extra data compatible.</param>
public sealed record BuilderBitmap(string Name, byte GranularityBits = 16, uint Flags = 2);

/// <summary>
/// Writes small QCOW2 images byte by byte, from the specification and without the engine: one L2 table, one refcount
/// block. What it builds is sound, with exact refcounts; a test then breaks one field of it.
/// </summary>
public sealed class ImageBuilder
{
    private const ulong Copied = 1UL << 63;
    private const ulong Compressed = 1UL << 62;

    private readonly List<byte[]> _clusters = [];
    private readonly List<ulong> _refcounts = [];

    /// <summary>2 or 3.</summary>
    public int Version { get; init; } = 3;

    public int ClusterBits { get; init; } = 12;

    /// <summary>Entries of 16 bytes, 32 subclusters a cluster. Needs clusters of 16 KiB.</summary>
    public bool ExtendedL2 { get; init; }

    public int RefcountOrder { get; init; } = 4;

    /// <summary>Virtual size in bytes; 16 clusters unless it is set.</summary>
    public ulong? Size { get; init; }

    /// <summary>How many clusters are written, from guest offset 0 on.</summary>
    public int DataClusters { get; init; } = 2;

    /// <summary>Compressed streams of the guest clusters that follow. They lie end to end, as QEMU packs them.</summary>
    public IReadOnlyList<byte[]> CompressedStreams { get; init; } = [];

    /// <summary>What each stream holds, a cluster each, for <see cref="BuiltImage.Guest"/>.</summary>
    public IReadOnlyList<byte[]> CompressedContents { get; init; } = [];

    public byte CompressionType { get; init; }

    /// <summary>Length of the header of version 3.</summary>
    public int HeaderLength { get; init; } = 112;

    public uint CryptMethod { get; init; }

    /// <summary>Added to the bits that the rest calls for.</summary>
    public ulong IncompatibleFeatures { get; init; }

    public ulong CompatibleFeatures { get; init; }

    /// <summary>Added to the bits that the rest calls for.</summary>
    public ulong AutoclearFeatures { get; init; }

    /// <summary>Header extensions, before those that the rest calls for.</summary>
    public IReadOnlyList<(uint Type, byte[] Data)> Extensions { get; init; } = [];

    public string? BackingName { get; init; }

    public string? BackingFormat { get; init; }

    public IReadOnlyList<BuilderSnapshot> Snapshots { get; init; } = [];

    public IReadOnlyList<BuilderBitmap> Bitmaps { get; init; } = [];

    private int ClusterSize => 1 << ClusterBits;

    private int L2EntrySize => ExtendedL2 ? 16 : 8;

    private ulong DiskSize => Size ?? 16UL << ClusterBits;

    /// <summary>The content of a written cluster: every eight bytes say where they lie.</summary>
    public static byte[] Content(long guestOffset, int length)
    {
        byte[] content = new byte[length];
        for (int i = 0; i < length; i += sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64BigEndian(content.AsSpan(i), 0xda7a_0000_0000_0000 | (ulong)(guestOffset + i));
        }

        return content;
    }

    /// <summary>Builds the image. A builder builds once.</summary>
    public BuiltImage Build()
    {
        if (_clusters.Count != 0)
        {
            throw new InvalidOperationException("The builder was used before.");
        }

        Allocate(1, 1);
        int refcountTable = Allocate(1, 1);
        int refcountBlock = Allocate(1, 1);

        ulong l1Entries = DivideUp(DiskSize, (ulong)ClusterSize * (ulong)(ClusterSize / L2EntrySize));
        int l1Length = (int)l1Entries * sizeof(ulong);
        int l1 = Allocate(Math.Max(1, DivideUp(l1Length, ClusterSize)), 1);

        ulong owners = 1 + (ulong)Snapshots.Count;
        ulong copied = Snapshots.Count == 0 ? Copied : 0;
        int l2 = Allocate(1, owners);
        SetU64(l1, (uint)l2 | copied);

        var dataOffsets = new List<int>();
        WriteData(l2, copied, owners, dataOffsets);
        WriteStreams(l2, owners, dataOffsets);

        var snapshotL1s = new List<int>();
        var snapshotEntries = new List<int>();
        int snapshotTable = WriteSnapshots((int)l1Entries, l2, snapshotL1s, snapshotEntries);

        var bitmapTables = new List<int>();
        var bitmapEntries = new List<int>();
        byte[]? bitmapsExtension = WriteBitmaps(bitmapTables, bitmapEntries);

        var extensions = new List<(uint Type, int Offset)>();
        int backingName = WriteHeader((int)l1Entries, l1, refcountTable, snapshotTable, bitmapsExtension, extensions);

        SetU64(refcountTable, (ulong)refcountBlock);
        WriteRefcounts(refcountBlock);

        return new BuiltImage([.. _clusters.SelectMany(cluster => cluster)], Guest())
        {
            ClusterSize = ClusterSize,
            L2EntrySize = L2EntrySize,
            L1Offset = l1,
            L2Offset = l2,
            RefcountTableOffset = refcountTable,
            RefcountBlockOffset = refcountBlock,
            DataOffsets = dataOffsets,
            SnapshotEntryOffsets = snapshotEntries,
            SnapshotL1Offsets = snapshotL1s,
            BitmapEntryOffsets = bitmapEntries,
            BitmapTableOffsets = bitmapTables,
            Extensions = extensions,
            BackingNameOffset = backingName,
        };
    }

    private void WriteData(int l2, ulong copied, ulong owners, List<int> offsets)
    {
        for (int i = 0; i < DataClusters; i++)
        {
            int offset = Allocate(1, owners);
            offsets.Add(offset);
            Content((long)i << ClusterBits, ClusterSize).CopyTo(_clusters[offset >> ClusterBits], 0);
            SetU64(l2 + (i * L2EntrySize), (uint)offset | copied);
            if (ExtendedL2)
            {
                SetU64(l2 + (i * L2EntrySize) + 8, 0xffff_ffff);
            }
        }
    }

    private void WriteStreams(int l2, ulong owners, List<int> offsets)
    {
        if (CompressedStreams.Count == 0)
        {
            return;
        }

        int length = CompressedStreams.Sum(stream => stream.Length);
        int offset = Allocate(DivideUp(length, ClusterSize), 0);
        int offsetBits = 62 - (ClusterBits - 8);
        for (int i = 0; i < CompressedStreams.Count; i++)
        {
            byte[] stream = CompressedStreams[i];
            int sectors = ((offset + stream.Length - 1) >> 9) - (offset >> 9);
            SetU64(l2 + ((DataClusters + i) * L2EntrySize), Compressed | ((ulong)sectors << offsetBits) | (uint)offset);
            offsets.Add(offset);

            for (int cluster = offset >> ClusterBits; cluster <= ((offset & ~511) + (sectors * 512)) >> ClusterBits; cluster++)
            {
                _refcounts[cluster] += owners;
            }

            Overwrite(offset, stream);
            offset += stream.Length;
        }
    }

    private int WriteSnapshots(int l1Entries, int l2, List<int> l1Offsets, List<int> entries)
    {
        if (Snapshots.Count == 0)
        {
            return 0;
        }

        var table = new MemoryStream();
        foreach (BuilderSnapshot snapshot in Snapshots)
        {
            int l1 = Allocate(Math.Max(1, DivideUp(l1Entries * sizeof(ulong), ClusterSize)), 1);
            SetU64(l1, (ulong)l2);
            l1Offsets.Add(l1);

            byte[] id = Encoding.UTF8.GetBytes(snapshot.Id);
            byte[] name = Encoding.UTF8.GetBytes(snapshot.Name);
            byte[] entry = new byte[40 + snapshot.ExtraDataLength];
            BinaryPrimitives.WriteUInt64BigEndian(entry, (ulong)l1);
            BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(8), (uint)l1Entries);
            BinaryPrimitives.WriteUInt16BigEndian(entry.AsSpan(12), (ushort)id.Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry.AsSpan(14), (ushort)name.Length);
            BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(16), 1_704_067_200);
            BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(36), (uint)snapshot.ExtraDataLength);
            if (snapshot.ExtraDataLength >= 16)
            {
                BinaryPrimitives.WriteUInt64BigEndian(entry.AsSpan(48), DiskSize);
            }

            if (snapshot.ExtraDataLength >= 24)
            {
                BinaryPrimitives.WriteUInt64BigEndian(entry.AsSpan(56), ulong.MaxValue);
            }

            entries.Add((int)table.Position);
            table.Write([.. entry, .. id, .. name, .. new byte[-(entry.Length + id.Length + name.Length) & 7]]);
        }

        int offset = Store(table.ToArray());
        for (int i = 0; i < entries.Count; i++)
        {
            entries[i] += offset;
        }

        return offset;
    }

    private byte[]? WriteBitmaps(List<int> tables, List<int> entries)
    {
        if (Bitmaps.Count == 0)
        {
            return null;
        }

        var directory = new MemoryStream();
        foreach (BuilderBitmap bitmap in Bitmaps)
        {
            ulong bytes = DivideUp(DivideUp(DiskSize, 1UL << bitmap.GranularityBits), 8UL);
            int tableEntries = (int)DivideUp(bytes, (ulong)ClusterSize);
            int table = Allocate(DivideUp(tableEntries * sizeof(ulong), ClusterSize), 1);
            tables.Add(table);

            byte[] name = Encoding.UTF8.GetBytes(bitmap.Name);
            byte[] entry = new byte[24];
            BinaryPrimitives.WriteUInt64BigEndian(entry, (ulong)table);
            BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(8), (uint)tableEntries);
            BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(12), bitmap.Flags);
            entry[16] = 1;
            entry[17] = bitmap.GranularityBits;
            BinaryPrimitives.WriteUInt16BigEndian(entry.AsSpan(18), (ushort)name.Length);
            entries.Add((int)directory.Position);
            directory.Write([.. entry, .. name, .. new byte[-(entry.Length + name.Length) & 7]]);
        }

        int offset = Store(directory.ToArray());
        for (int i = 0; i < entries.Count; i++)
        {
            entries[i] += offset;
        }

        byte[] extension = new byte[24];
        BinaryPrimitives.WriteUInt32BigEndian(extension, (uint)Bitmaps.Count);
        BinaryPrimitives.WriteUInt64BigEndian(extension.AsSpan(8), (ulong)directory.Length);
        BinaryPrimitives.WriteUInt64BigEndian(extension.AsSpan(16), (ulong)offset);
        return extension;
    }

    private int WriteHeader(
        int l1Entries, int l1, int refcountTable, int snapshotTable, byte[]? bitmapsExtension, List<(uint Type, int Offset)> placed)
    {
        SetU32(HeaderOffset.Magic, 0x514649fb);
        SetU32(HeaderOffset.Version, (uint)Version);
        SetU32(HeaderOffset.ClusterBits, (uint)ClusterBits);
        SetU64(HeaderOffset.Size, DiskSize);
        SetU32(HeaderOffset.CryptMethod, CryptMethod);
        SetU32(HeaderOffset.L1Size, (uint)l1Entries);
        SetU64(HeaderOffset.L1TableOffset, (ulong)l1);
        SetU64(HeaderOffset.RefcountTableOffset, (ulong)refcountTable);
        SetU32(HeaderOffset.RefcountTableClusters, 1);
        SetU32(HeaderOffset.NbSnapshots, (uint)Snapshots.Count);
        SetU64(HeaderOffset.SnapshotsOffset, (ulong)snapshotTable);

        int position = 72;
        if (Version >= 3)
        {
            SetU64(HeaderOffset.IncompatibleFeatures, IncompatibleFeatures | (CompressionType != 0 ? 8UL : 0) | (ExtendedL2 ? 16UL : 0));
            SetU64(HeaderOffset.CompatibleFeatures, CompatibleFeatures);
            SetU64(HeaderOffset.AutoclearFeatures, AutoclearFeatures | (bitmapsExtension is null ? 0 : 1UL));
            SetU32(HeaderOffset.RefcountOrder, (uint)RefcountOrder);
            SetU32(HeaderOffset.HeaderLength, (uint)HeaderLength);
            if (HeaderLength > HeaderOffset.CompressionType)
            {
                _clusters[0][HeaderOffset.CompressionType] = CompressionType;
            }

            position = HeaderLength;
        }

        List<(uint Type, byte[] Data)> extensions = [.. Extensions];
        if (BackingFormat is not null)
        {
            extensions.Add((ExtensionType.BackingFormat, Encoding.UTF8.GetBytes(BackingFormat)));
        }

        if (bitmapsExtension is not null)
        {
            extensions.Add((ExtensionType.Bitmaps, bitmapsExtension));
        }

        foreach ((uint type, byte[] data) in extensions)
        {
            placed.Add((type, position));
            SetU32(position, type);
            SetU32(position + 4, (uint)data.Length);
            data.CopyTo(_clusters[0], position + 8);
            position += 8 + ((data.Length + 7) & ~7);
        }

        placed.Add((ExtensionType.End, position));
        position += 8;
        if (BackingName is null)
        {
            return 0;
        }

        byte[] name = Encoding.UTF8.GetBytes(BackingName);
        name.CopyTo(_clusters[0], position);
        SetU64(HeaderOffset.BackingFileOffset, (ulong)position);
        SetU32(HeaderOffset.BackingFileSize, (uint)name.Length);
        return position;
    }

    private void WriteRefcounts(int block)
    {
        int bits = 1 << RefcountOrder;
        if (_clusters.Count * bits > ClusterSize * 8)
        {
            throw new InvalidOperationException($"{_clusters.Count} clusters need more than one refcount block.");
        }

        for (int i = 0; i < _refcounts.Count; i++)
        {
            if (bits < 64 && _refcounts[i] >> bits != 0)
            {
                throw new InvalidOperationException($"A refcount of {_refcounts[i]} does not fit in {bits} bits.");
            }

            // Whole bytes are big-endian; narrower counts fill a byte from its least significant bit.
            Span<byte> cluster = _clusters[block >> ClusterBits];
            if (bits < 8)
            {
                cluster[i * bits / 8] |= (byte)(_refcounts[i] << (i * bits % 8));
                continue;
            }

            for (int n = 0; n < bits / 8; n++)
            {
                cluster[(i * bits / 8) + n] = (byte)(_refcounts[i] >> (bits - 8 - (n * 8)));
            }
        }
    }

    private byte[] Guest()
    {
        byte[] guest = new byte[Math.Min(DiskSize, 64UL << ClusterBits)];
        Content(0, DataClusters << ClusterBits).AsSpan(0, Math.Min(guest.Length, DataClusters << ClusterBits)).CopyTo(guest);
        for (int i = 0; i < CompressedContents.Count; i++)
        {
            CompressedContents[i].CopyTo(guest, (DataClusters + i) << ClusterBits);
        }

        return guest;
    }

    private int Allocate(int count, ulong refcount)
    {
        int offset = _clusters.Count << ClusterBits;
        for (int i = 0; i < count; i++)
        {
            _clusters.Add(new byte[ClusterSize]);
            _refcounts.Add(refcount);
        }

        return offset;
    }

    private int Store(byte[] bytes)
    {
        int offset = Allocate(DivideUp(bytes.Length, ClusterSize), 1);
        Overwrite(offset, bytes);
        return offset;
    }

    private void Overwrite(int offset, byte[] bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            _clusters[(offset + i) >> ClusterBits][(offset + i) & (ClusterSize - 1)] = bytes[i];
        }
    }

    private void SetU32(int offset, uint value)
        => BinaryPrimitives.WriteUInt32BigEndian(_clusters[offset >> ClusterBits].AsSpan(offset & (ClusterSize - 1)), value);

    private void SetU64(int offset, ulong value)
        => BinaryPrimitives.WriteUInt64BigEndian(_clusters[offset >> ClusterBits].AsSpan(offset & (ClusterSize - 1)), value);

    private static int DivideUp(int value, int unit) => (value + unit - 1) / unit;

    private static ulong DivideUp(ulong value, ulong unit) => (value + unit - 1) / unit;
}
