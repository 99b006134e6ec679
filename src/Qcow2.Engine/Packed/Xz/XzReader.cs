using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>
/// The .xz format: streams of blocks, each with its check sum, and at the end of each stream an index that says how long they are. All of it is compared.
/// </summary>
internal sealed class XzReader : PackedReader
{
    /// <summary>The filter that disks are packed with, and the only one that is known here.</summary>
    private const long Lzma2Filter = 0x21;

    private readonly PackedInput _input;
    private readonly Lzma2Decoder _decoder;
    private readonly XzRecords _blocks = new();
    private readonly XzRecords _indexed = new();
    private XzSum? _sum;
    private XzCheck _check;
    private Part _part = Part.FirstStream;
    private long _blockStart;
    private long _unpacked;
    private long _dataStart;
    private long? _expectedPacked;
    private long? _expectedUnpacked;

    internal XzReader(PackedInput input)
    {
        _input = input;
        _decoder = new Lzma2Decoder(input);
    }

    private enum Part
    {
        FirstStream,
        Stream,
        Blocks,
        Data,
        End,
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _blocks.Dispose();
        _indexed.Dispose();
        _sum?.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    private protected override int ReadCore(Span<byte> buffer)
    {
        while (true)
        {
            switch (_part)
            {
                case Part.Data:
                    int count = _decoder.Read(buffer);
                    if (count > 0)
                    {
                        _sum!.Append(buffer.Slice(0, count));
                        _unpacked += count;
                        return count;
                    }

                    EndBlock();
                    break;
                case Part.Blocks:
                    BeginBlock();
                    break;
                case Part.End:
                    return 0;
                default:
                    BeginStream();
                    break;
            }
        }
    }

    private void BeginStream()
    {
        if (_part == Part.Stream)
        {
            // Between streams and behind the last one there may be zeros.
            while (_input.TryGet(XzHeaders.Unit) && BinaryPrimitives.ReadUInt32LittleEndian(_input.Available) == 0)
            {
                _input.Skip(XzHeaders.Unit);
            }

            if (_input.IsAtEnd)
            {
                _part = Part.End;
                return;
            }
        }

        Span<byte> header = stackalloc byte[XzHeaders.HeaderBytes];
        long start = _input.Position;
        _input.Take(header);
        _check = XzHeaders.TryReadHeader(header) ?? throw (start == 0 ? _input.Damaged("this is no header of xz.") : PackedErrors.Trailing(_input.Path, start, "xz stream"));
        if (!XzSum.IsKnown(_check))
        {
            throw _check == XzCheck.None ? PackedErrors.Unchecked(_input.Path, "xz")
                : PackedErrors.Unsupported(_input.Path, $"What is packed has a check sum of the kind {(int)_check}, which is not known here: unpack the file with xz first.");
        }

        _sum?.Dispose();
        _sum = new XzSum(_check);
        _part = Part.Blocks;
    }

    private void BeginBlock()
    {
        _blockStart = _input.Position;
        int size = (_input.Peek(1)[0] + 1) * XzHeaders.Unit;
        if (size == XzHeaders.Unit)
        {
            EndStream();
            return;
        }

        byte[] header = new byte[size];
        _input.Take(header);
        if (!XzHeaders.HasSum(header.AsSpan(0, size - sizeof(uint)), header.AsSpan(size - sizeof(uint))))
        {
            throw _input.Damaged("the check sum of a block's header is wrong.");
        }

        const byte hasPackedSize = 0x40;
        const byte hasUnpackedSize = 0x80;
        const byte filterCount = 0x03;
        byte flags = header[1];
        int next = 2;
        byte Next() => next < size - sizeof(uint) ? header[next++] : throw _input.Damaged("the header of a block ends too early.");
        _expectedPacked = (flags & hasPackedSize) != 0 ? XzHeaders.ReadNumber(Next) : null;
        _expectedUnpacked = (flags & hasUnpackedSize) != 0 ? XzHeaders.ReadNumber(Next) : null;
        long filter = XzHeaders.ReadNumber(Next);
        long properties = XzHeaders.ReadNumber(Next);
        if ((flags & ~(hasPackedSize | hasUnpackedSize)) != 0 || filter != Lzma2Filter)
        {
            int filters = (flags & filterCount) + 1;
            throw PackedErrors.Unsupported(_input.Path, filters > 1 || filter != Lzma2Filter
                ? "What is packed went through a filter beside LZMA2, which is not known here: unpack the file with xz first."
                : "The header of a block has flags that are not known here: unpack the file with xz first.");
        }

        if (properties != 1)
        {
            throw _input.Damaged("the header of a block is not possible.");
        }

        _decoder.Begin(Next());
        while (next < size - sizeof(uint))
        {
            if (Next() != 0)
            {
                throw PackedErrors.Unsupported(_input.Path, "The header of a block has fields that are not known here: unpack the file with xz first.");
            }
        }

        _unpacked = 0;
        _dataStart = _input.Position;
        _part = Part.Data;
    }

    private void EndBlock()
    {
        long packed = _input.Position - _dataStart;
        if ((_expectedPacked is long bytes && bytes != packed) || (_expectedUnpacked is long expected && expected != _unpacked))
        {
            throw _input.Damaged("a block is not as long as its header says.");
        }

        Pad(_blockStart);
        Span<byte> stored = stackalloc byte[_sum!.Size];
        _input.Take(stored);
        if (!_sum.Ends(stored))
        {
            throw _input.Damaged("the check sum of what came out is wrong.");
        }

        _blocks.Add(_dataStart - _blockStart + packed + stored.Length, _unpacked);
        _part = Part.Blocks;
    }

    /// <summary>Compares the index with the blocks, and the footer with both.</summary>
    private void EndStream()
    {
        long start = _input.Position;
        uint sum = uint.MaxValue;
        byte Next()
        {
            byte value = _input.Take();
            sum = Crc32.Append(sum, [value]);
            return value;
        }

        Next();
        long count = XzHeaders.ReadNumber(Next);
        if (count != _blocks.Count)
        {
            throw _input.Damaged("the index has another number of blocks than there are.");
        }

        for (long i = 0; i < count; i++)
        {
            long unpadded = XzHeaders.ReadNumber(Next);
            _indexed.Add(unpadded, XzHeaders.ReadNumber(Next));
        }

        while ((_input.Position - start) % XzHeaders.Unit != 0)
        {
            if (Next() != 0)
            {
                throw _input.Damaged("what fills up the index is not zero.");
            }
        }

        uint expected = ~sum;
        Span<byte> stored = stackalloc byte[sizeof(uint)];
        _input.Take(stored);
        if (BinaryPrimitives.ReadUInt32LittleEndian(stored) != expected || !_blocks.Ends(_indexed))
        {
            throw _input.Damaged("the index says something else than what the blocks are.");
        }

        long length = _input.Position - start;
        Span<byte> footer = stackalloc byte[XzHeaders.HeaderBytes];
        _input.Take(footer);
        if (XzHeaders.TryReadFooter(footer, out long indexBytes) != _check || indexBytes != length)
        {
            throw _input.Damaged("the footer of the stream is wrong.");
        }

        _part = Part.Stream;
    }

    /// <summary>Goes past the zeros that fill up what began at a place.</summary>
    private void Pad(long start)
    {
        while ((_input.Position - start) % XzHeaders.Unit != 0)
        {
            if (_input.Take() != 0)
            {
                throw _input.Damaged("what fills up a block is not zero.");
            }
        }
    }
}
