using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Packed.Gzip;

/// <summary>gzip (RFC 1952): one member or several, each with the check sum and the length of what is in it.</summary>
/// <remarks>.NET's own streams are not used: they take a file that is cut off for one that is complete, on .NET Framework also one whose further members are left out.</remarks>
internal sealed class GzipReader(PackedInput input) : PackedReader
{
    private const int HeaderBytes = 10;

    private readonly StreamInflater _inflater = new();
    private ReadOnlyMemory<byte> _piece;
    private bool _isInMember;
    private bool _isAtEnd;
    private int _members;
    private uint _sum;
    private uint _length;

    [Flags]
    private enum Flags : byte
    {
        None = 0,
        HeaderSum = 2,
        Extra = 4,
        Name = 8,
        Comment = 16,
        Reserved = 0xe0,
    }

    /// <inheritdoc/>
    private protected override int ReadCore(Span<byte> buffer)
    {
        while (_piece.IsEmpty)
        {
            if (_isAtEnd)
            {
                return 0;
            }

            Advance();
        }

        int count = Math.Min(buffer.Length, _piece.Length);
        _piece.Span.Slice(0, count).CopyTo(buffer);
        _piece = _piece.Slice(count);
        return count;
    }

    private void Advance()
    {
        if (!_isInMember)
        {
            if (_members > 0 && input.IsAtEnd)
            {
                _isAtEnd = true;
                return;
            }

            BeginMember();
        }

        _piece = _inflater.Next(input);
        if (_piece.IsEmpty)
        {
            EndMember();
            return;
        }

        _sum = Crc32.Append(_sum, _piece.Span);
        _length += (uint)_piece.Length;
    }

    private void BeginMember()
    {
        if (_members > 0 && !(input.TryGet(2) && input.Available[0] == 0x1f && input.Available[1] == 0x8b))
        {
            throw PackedErrors.Trailing(input.Path, input.Position, "gzip member");
        }

        uint sum = uint.MaxValue;
        Span<byte> header = stackalloc byte[HeaderBytes];
        Take(header, ref sum);
        var flags = (Flags)header[3];
        if (header[0] != 0x1f || header[1] != 0x8b || header[2] != 8 || (flags & Flags.Reserved) != 0)
        {
            throw input.Damaged("this is no header of gzip.");
        }

        if ((flags & Flags.Extra) != 0)
        {
            Span<byte> length = stackalloc byte[sizeof(ushort)];
            Take(length, ref sum);
            for (int left = BinaryPrimitives.ReadUInt16LittleEndian(length); left > 0; left--)
            {
                TakeByte(ref sum);
            }
        }

        for (int texts = ((flags & Flags.Name) != 0 ? 1 : 0) + ((flags & Flags.Comment) != 0 ? 1 : 0); texts > 0;)
        {
            texts -= TakeByte(ref sum) == 0 ? 1 : 0;
        }

        if ((flags & Flags.HeaderSum) != 0)
        {
            ushort expected = (ushort)~sum;
            Span<byte> stored = stackalloc byte[sizeof(ushort)];
            input.Take(stored);
            if (BinaryPrimitives.ReadUInt16LittleEndian(stored) != expected)
            {
                throw input.Damaged("the check sum of gzip's header is wrong.");
            }
        }

        _inflater.Reset();
        _sum = uint.MaxValue;
        _length = 0;
        _isInMember = true;
        _members++;
    }

    private void EndMember()
    {
        Span<byte> trailer = stackalloc byte[2 * sizeof(uint)];
        input.Take(trailer);
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != ~_sum)
        {
            throw input.Damaged("the check sum of what came out is wrong.");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer.Slice(sizeof(uint))) != _length)
        {
            throw input.Damaged("what came out has another length than the file says.");
        }

        _isInMember = false;
    }

    private void Take(Span<byte> bytes, ref uint sum)
    {
        input.Take(bytes);
        sum = Crc32.Append(sum, bytes);
    }

    private byte TakeByte(ref uint sum)
    {
        byte value = input.Take();
        sum = Crc32.Append(sum, [value]);
        return value;
    }
}
