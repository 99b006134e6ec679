using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Recognition;

/// <summary>The first and the last bytes of a file, where signatures lie.</summary>
internal sealed class FileContent
{
    /// <summary>Up to here signatures reach: that of Btrfs lies at 65,600.</summary>
    private const int HeadBytes = 68 * 1024;

    private const int TailBytes = 1024;

    private readonly byte[] _head;
    private readonly byte[] _tail;

    internal FileContent(BlockStorage storage)
    {
        Length = storage.Length;
        _head = new byte[(int)Math.Min(Length, HeadBytes)];
        _tail = new byte[(int)Math.Min(Length, TailBytes)];
        storage.ReadZeroPadded(0, _head);
        storage.ReadZeroPadded(Length - _tail.Length, _tail);
    }

    /// <summary>Length of the file, in bytes.</summary>
    internal long Length { get; }

    /// <summary>The first bytes; all of them where the file is short.</summary>
    internal ReadOnlySpan<byte> Head => _head;

    /// <summary>Whether bytes lie at an offset near the start.</summary>
    internal bool Has(int offset, ReadOnlySpan<byte> bytes)
        => offset <= _head.Length - bytes.Length && _head.AsSpan(offset, bytes.Length).SequenceEqual(bytes);

    /// <summary>Whether bytes lie at a distance from the end, no more than a KiB.</summary>
    internal bool HasAtEnd(int distance, ReadOnlySpan<byte> bytes)
        => distance <= _tail.Length && _tail.AsSpan(_tail.Length - distance).StartsWith(bytes);

    /// <summary>The byte at an offset near the start; 0 past the end.</summary>
    internal byte At(int offset) => offset < _head.Length ? _head[offset] : (byte)0;

    /// <summary>The little-endian number at an offset near the start; 0 past the end.</summary>
    internal uint U32(int offset) => offset <= _head.Length - sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(_head.AsSpan(offset)) : 0;

    /// <summary>The little-endian number at an offset near the start; 0 past the end.</summary>
    internal ulong U64(int offset) => offset <= _head.Length - sizeof(ulong) ? BinaryPrimitives.ReadUInt64LittleEndian(_head.AsSpan(offset)) : 0;

    /// <summary>Whether the first sector ends as a boot record does.</summary>
    internal bool HasBootMark => Has(510, [0x55, 0xaa]);
}
