using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Recognition;

/// <summary>The first and the last bytes of a file, where signatures lie. They are read when they are asked for; the file stays open as long.</summary>
internal sealed class FileContent
{
    /// <summary>Up to here signatures reach: that of Btrfs lies at 65,600.</summary>
    private const int HeadBytes = 68 * 1024;

    /// <summary>What is read at once. The marks of the formats that are read here lie in it: a look at many images reads no more.</summary>
    private const int StartBytes = 4096;

    private const int TailBytes = 1024;

    private readonly BlockStorage _storage;
    private byte[] _head;
    private byte[]? _tail;

    internal FileContent(BlockStorage storage)
    {
        _storage = storage;
        Length = storage.Length;
        _head = Read(StartBytes);
    }

    /// <summary>Length of the file, in bytes.</summary>
    internal long Length { get; }

    /// <summary>The first bytes; all of them where the file is short.</summary>
    internal ReadOnlySpan<byte> Head => HeadTo(HeadBytes);

    /// <summary>The very first bytes, 4 KiB of them; all where the file is short.</summary>
    internal ReadOnlySpan<byte> Start => _head.AsSpan(0, Math.Min(_head.Length, StartBytes));

    /// <summary>Whether bytes lie at an offset near the start.</summary>
    internal bool Has(int offset, ReadOnlySpan<byte> bytes)
        => HeadTo(offset + bytes.Length).AsSpan() is var head && offset <= head.Length - bytes.Length && head.Slice(offset, bytes.Length).SequenceEqual(bytes);

    /// <summary>Whether bytes lie at a distance from the end, no more than a KiB.</summary>
    internal bool HasAtEnd(int distance, ReadOnlySpan<byte> bytes)
        => distance <= Tail.Length && Tail.AsSpan(Tail.Length - distance).StartsWith(bytes);

    /// <summary>The byte at an offset near the start; 0 past the end.</summary>
    internal byte At(int offset) => HeadTo(offset + 1) is var head && offset < head.Length ? head[offset] : (byte)0;

    /// <summary>The little-endian number at an offset near the start; 0 past the end.</summary>
    internal uint U32(int offset)
        => HeadTo(offset + sizeof(uint)) is var head && offset <= head.Length - sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(offset)) : 0;

    /// <summary>The little-endian number at an offset near the start; 0 past the end.</summary>
    internal ulong U64(int offset)
        => HeadTo(offset + sizeof(ulong)) is var head && offset <= head.Length - sizeof(ulong) ? BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(offset)) : 0;

    /// <summary>Whether the first sector ends as a boot record does.</summary>
    internal bool HasBootMark => Has(510, [0x55, 0xaa]);

    private byte[] Tail
    {
        get
        {
            if (_tail is null)
            {
                byte[] tail = new byte[(int)Math.Min(Length, TailBytes)];
                _storage.ReadZeroPadded(Length - tail.Length, tail);
                _tail = tail;
            }

            return _tail;
        }
    }

    /// <summary>The first bytes, up to an offset at least, as far as the file and signatures reach.</summary>
    private byte[] HeadTo(int end)
    {
        if (end > _head.Length && _head.Length < Math.Min(Length, HeadBytes))
        {
            _head = Read(HeadBytes);
        }

        return _head;
    }

    private byte[] Read(int most)
    {
        byte[] bytes = new byte[(int)Math.Min(Length, most)];
        _storage.ReadZeroPadded(0, bytes);
        return bytes;
    }
}
