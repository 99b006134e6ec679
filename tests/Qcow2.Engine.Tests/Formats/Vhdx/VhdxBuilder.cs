using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>
/// Builds VHDX files by hand, from [MS-VHDX] alone: 64 KiB of identifier, two headers, two region tables, a log of a MiB at 1 MiB,
/// metadata at 2 MiB, the block table at 3 MiB, then blocks and bitmaps in the order in which they are put.
/// </summary>
internal sealed class VhdxBuilder
{
    internal const int MiB = 1 << 20;
    internal const int LogOffset = MiB;
    internal const int MetadataOffset = 2 * MiB;
    internal const int TableOffset = 3 * MiB;

    internal static readonly Guid DataWriteGuid = new("11111111-2222-3333-4444-555555555555");
    internal static readonly Guid LogGuid = new("66666666-7777-8888-9999-aaaaaaaaaaaa");

    private readonly int _tableLength;
    private byte[] _bytes;

    internal VhdxBuilder(long diskSize, int blockSize = MiB, int sectorSize = 512, bool isFixed = false, (string Key, string Value)[]? parent = null)
    {
        DiskSize = diskSize;
        BlockSize = blockSize;
        SectorSize = sectorSize;
        HasParent = parent is not null;
        ChunkRatio = (1L << 23) * sectorSize / blockSize;
        long blocks = (diskSize + blockSize - 1) / blockSize;
        _tableLength = (int)((((blocks / ChunkRatio + 1) * (ChunkRatio + 1) * 8) + MiB - 1) / MiB * MiB);
        if (!HasParent)
        {
            _tableLength = (int)((((blocks + (blocks / ChunkRatio)) * 8) + MiB - 1) / MiB * MiB);
        }

        _bytes = new byte[TableOffset + _tableLength];
        Encoding.ASCII.GetBytes("vhdxfile").CopyTo(_bytes, 0);
        Encoding.Unicode.GetBytes("by hand").CopyTo(_bytes, 8);
        WriteRegionTables();
        WriteMetadata(isFixed, parent);
        WriteHeaders(Guid.Empty, 7);
    }

    internal long DiskSize { get; }

    internal int BlockSize { get; }

    internal int SectorSize { get; }

    internal bool HasParent { get; }

    internal long ChunkRatio { get; }

    internal byte[] Bytes => _bytes;

    internal Span<byte> At(long offset) => _bytes.AsSpan((int)offset);

    /// <summary>Offset in the file of the entry of a block.</summary>
    internal static long EntryAt(long block, long ratio) => TableOffset + ((block + (block / ratio)) * 8);

    internal VhdxBuilder SetEntry(long block, int state, long offset = 0)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(At(EntryAt(block, ChunkRatio)), (ulong)offset | (uint)state);
        return this;
    }

    /// <summary>Puts a block at the end of the file.</summary>
    /// <returns>Where it lies.</returns>
    internal long Put(long block, int state, ReadOnlySpan<byte> data)
    {
        long offset = Append(BlockSize);
        data.CopyTo(At(offset));
        SetEntry(block, state, offset);
        return offset;
    }

    /// <summary>Puts the bitmap of a chunk at the end of the file, and gives its bytes.</summary>
    internal Span<byte> PutBitmap(long chunk)
    {
        long offset = Append(MiB);
        BinaryPrimitives.WriteUInt64LittleEndian(At(TableOffset + (((chunk * (ChunkRatio + 1)) + ChunkRatio) * 8)), (ulong)offset | 6);
        return _bytes.AsSpan((int)offset, MiB);
    }

    internal long Append(int length)
    {
        long offset = (_bytes.Length + MiB - 1) / MiB * MiB;
        Array.Resize(ref _bytes, (int)offset + length);
        return offset;
    }

    internal void WriteHeaders(Guid log, ulong sequence, int logLength = MiB)
    {
        for (int i = 0; i < 2; i++)
        {
            Span<byte> header = At((64 << 10) * (i + 1)).Slice(0, 4096);
            header.Clear();
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x6461_6568);
            BinaryPrimitives.WriteUInt64LittleEndian(header.Slice(8), sequence + (uint)i);
            Guid.Parse("00000000-1111-2222-3333-444444444444").ToByteArray().CopyTo(header.Slice(16));
            DataWriteGuid.ToByteArray().CopyTo(header.Slice(32));
            log.ToByteArray().CopyTo(header.Slice(48));
            BinaryPrimitives.WriteUInt16LittleEndian(header.Slice(66), 1);
            BinaryPrimitives.WriteInt32LittleEndian(header.Slice(68), logLength);
            BinaryPrimitives.WriteUInt64LittleEndian(header.Slice(72), LogOffset);
            Seal(header, 4);
        }
    }

    /// <summary>Sums a structure again after it was changed.</summary>
    internal static void Seal(Span<byte> structure, int field)
        => BinaryPrimitives.WriteUInt32LittleEndian(structure.Slice(field), Crc32C.OfAllBut(structure, field));

    internal void SealHeaders()
    {
        Seal(At(64 << 10).Slice(0, 4096), 4);
        Seal(At(128 << 10).Slice(0, 4096), 4);
    }

    internal void SealRegionTables()
    {
        Seal(At(192 << 10).Slice(0, 64 << 10), 4);
        Seal(At(256 << 10).Slice(0, 64 << 10), 4);
    }

    /// <summary>Writes an entry into the log, over its end if need be.</summary>
    /// <param name="position">Where in the log.</param>
    /// <param name="sequence">Its number.</param>
    /// <param name="tail">Where the oldest entry starts that is needed.</param>
    /// <param name="patches">What it writes: 4 KiB of data each, or zeros where there is none.</param>
    /// <param name="change">Changes the entry before it is summed; null for none.</param>
    /// <returns>Where the next entry starts.</returns>
    internal int Log(int position, ulong sequence, int tail, (long Offset, byte[]? Data, long Zeros)[] patches, Action<byte[]>? change = null)
    {
        int descriptors = (64 + (patches.Length * 32) + 4095) / 4096 * 4096;
        byte[] entry = new byte[descriptors + (patches.Count(patch => patch.Data is not null) * 4096)];
        Span<byte> header = entry;
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x6567_6f6c);
        BinaryPrimitives.WriteInt32LittleEndian(header.Slice(8), entry.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.Slice(12), tail);
        BinaryPrimitives.WriteUInt64LittleEndian(header.Slice(16), sequence);
        BinaryPrimitives.WriteInt32LittleEndian(header.Slice(24), patches.Length);
        LogGuid.ToByteArray().CopyTo(header.Slice(32));
        BinaryPrimitives.WriteInt64LittleEndian(header.Slice(48), _bytes.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.Slice(56), _bytes.Length);
        int sector = descriptors;
        for (int i = 0; i < patches.Length; i++)
        {
            (long offset, byte[]? data, long zeros) = patches[i];
            Span<byte> descriptor = header.Slice(64 + (i * 32), 32);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor, data is null ? 0x6f72_657aU : 0x6373_6564U);
            BinaryPrimitives.WriteInt64LittleEndian(descriptor.Slice(16), offset);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor.Slice(24), sequence);
            if (data is null)
            {
                BinaryPrimitives.WriteInt64LittleEndian(descriptor.Slice(8), zeros);
                continue;
            }

            data.AsSpan(4092, 4).CopyTo(descriptor.Slice(4));
            data.AsSpan(0, 8).CopyTo(descriptor.Slice(8));
            Span<byte> place = header.Slice(sector, 4096);
            data.CopyTo(place);
            BinaryPrimitives.WriteUInt32LittleEndian(place, 0x6174_6164);
            BinaryPrimitives.WriteUInt32LittleEndian(place.Slice(4), (uint)(sequence >> 32));
            BinaryPrimitives.WriteUInt32LittleEndian(place.Slice(4092), (uint)sequence);
            sector += 4096;
        }

        change?.Invoke(entry);
        Seal(entry, 4);
        for (int i = 0; i < entry.Length; i += 4096)
        {
            entry.AsSpan(i, 4096).CopyTo(At(LogOffset + ((position + i) % MiB)));
        }

        return (position + entry.Length) % MiB;
    }

    private void WriteRegionTables()
    {
        foreach (int place in new[] { 192 << 10, 256 << 10 })
        {
            Span<byte> table = At(place).Slice(0, 64 << 10);
            BinaryPrimitives.WriteUInt32LittleEndian(table, 0x6967_6572);
            BinaryPrimitives.WriteUInt32LittleEndian(table.Slice(8), 2);
            WriteRegion(table.Slice(16), "2dc27766-f623-4200-9d64-115e9bfd4a08", TableOffset, _tableLength);
            WriteRegion(table.Slice(48), "8b7ca206-4790-4b9a-b8fe-575f050f886e", MetadataOffset, MiB);
        }

        SealRegionTables();
    }

    private static void WriteRegion(Span<byte> entry, string id, long offset, int length)
    {
        Guid.Parse(id).ToByteArray().CopyTo(entry);
        BinaryPrimitives.WriteInt64LittleEndian(entry.Slice(16), offset);
        BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(24), length);
        BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(28), 1);
    }

    private void WriteMetadata(bool isFixed, (string Key, string Value)[]? parent)
    {
        Encoding.ASCII.GetBytes("metadata").CopyTo(At(MetadataOffset));
        int count = 0;
        int place = 64 << 10;
        byte[] parameters = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(parameters, BlockSize);
        BinaryPrimitives.WriteInt32LittleEndian(parameters.AsSpan(4), (isFixed ? 1 : 0) | (HasParent ? 2 : 0));
        Item("caa16737-fa36-4d43-b3b6-33f0aa44e76b", parameters, 4);
        Item("2fa54224-cd1b-4876-b211-5dbed83bf4b8", BitConverter.GetBytes(DiskSize), 6);
        Item("beca12ab-b2e6-4523-93ef-c309e000c746", Guid.Parse("99999999-8888-7777-6666-555555555555").ToByteArray(), 6);
        Item("8141bf1d-a96f-4709-ba47-f233a8faab5f", BitConverter.GetBytes(SectorSize), 6);
        Item("cda348c7-445d-4471-9cc9-e9885251c556", BitConverter.GetBytes(4096), 6);
        if (parent is not null)
        {
            Item("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", Locator(parent), 4);
        }

        BinaryPrimitives.WriteInt16LittleEndian(At(MetadataOffset + 10), (short)count);

        void Item(string id, byte[] content, int flags)
        {
            count++;
            Span<byte> entry = At(MetadataOffset + (count * 32));
            Guid.Parse(id).ToByteArray().CopyTo(entry);
            BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(16), place);
            BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(20), content.Length);
            BinaryPrimitives.WriteInt32LittleEndian(entry.Slice(24), flags);
            content.CopyTo(At(MetadataOffset + place));
            place += content.Length;
        }
    }

    private static byte[] Locator((string Key, string Value)[] pairs)
    {
        using var texts = new MemoryStream();
        byte[] head = new byte[20 + (pairs.Length * 12)];
        Guid.Parse("b04aefb7-d19e-4a81-b789-25b8e9445913").ToByteArray().CopyTo(head, 0);
        BinaryPrimitives.WriteInt16LittleEndian(head.AsSpan(18), (short)pairs.Length);
        for (int i = 0; i < pairs.Length; i++)
        {
            byte[] key = Encoding.Unicode.GetBytes(pairs[i].Key);
            byte[] value = Encoding.Unicode.GetBytes(pairs[i].Value);
            Span<byte> pair = head.AsSpan(20 + (i * 12));
            BinaryPrimitives.WriteInt32LittleEndian(pair, head.Length + (int)texts.Length);
            BinaryPrimitives.WriteInt32LittleEndian(pair.Slice(4), head.Length + (int)texts.Length + key.Length);
            BinaryPrimitives.WriteInt16LittleEndian(pair.Slice(8), (short)key.Length);
            BinaryPrimitives.WriteInt16LittleEndian(pair.Slice(10), (short)value.Length);
            texts.Write(key);
            texts.Write(value);
        }

        return [.. head, .. texts.ToArray()];
    }
}
