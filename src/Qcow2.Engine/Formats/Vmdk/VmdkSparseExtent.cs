using System.Buffers;
using System.Buffers.Binary;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>An extent of grains that a directory and tables lead to, compressed or not.</summary>
internal sealed class VmdkSparseExtent : VmdkExtent
{
    private const int GrainHeaderLength = 12;
    private const int ZlibHeaderLength = 2;
    private const int ZlibTrailerLength = 4;

    private readonly BlockStorage _file;

    /// <summary>As it was when the file was opened: the host is not asked for it at each entry. What is missing since is found when it is read.</summary>
    private readonly long _fileLength;

    private readonly VmdkSparseLayout _layout;
    private readonly TablePages _pages;
    private readonly ClusterDecoder? _decoder;
    private readonly DecodedClusterCache _decoded;

    internal VmdkSparseExtent(BlockStorage file, VmdkSparseLayout layout, long length)
    {
        _file = file;
        _fileLength = file.Length;
        _layout = layout;
        _pages = new TablePages(file);
        _decoded = new DecodedClusterCache(layout.GrainSize);
        _decoder = layout.IsCompressed ? new InflateDecoder() : null;
        Length = length;
        if (length > layout.Capacity)
        {
            throw Qcow2Errors.Corrupt($"'{file.Path}' has room for {layout.Capacity} bytes, and the VMDK descriptor takes {length} from it.");
        }
    }

    /// <inheritdoc/>
    internal override long Length { get; }

    /// <inheritdoc/>
    internal override BlockStorage File => _file;

    /// <inheritdoc/>
    internal override string? Problem => _layout.Problem;

    /// <inheritdoc/>
    internal override VmdkStretch Find(long offset, long length)
    {
        int grainSize = _layout.GrainSize;
        long grain = offset / grainSize;
        long inGrain = offset % grainSize;
        (VmdkStretchKind kind, long place) = Grain(grain);
        long end = grainSize - inGrain;
        while (end < length && kind != VmdkStretchKind.Compressed)
        {
            // A directory's entry that leads to no table speaks for all grains of the table; so does a table that holds nothing, in one look.
            grain++;
            long skipped = grain % _layout.TableEntries == 0 && kind == VmdkStretchKind.Parent && HasEmptyTable(grain) ? _layout.TableEntries : 0;
            if (skipped == 0 && !IsContinued(grain, kind, place, end + inGrain))
            {
                break;
            }

            grain += Math.Max(0, skipped - 1);
            end += Math.Max(1, skipped) * grainSize;
        }

        return new VmdkStretch(kind, Math.Min(length, end), kind == VmdkStretchKind.Data ? place + inGrain : place);
    }

    /// <inheritdoc/>
    internal override void Read(VmdkStretch stretch, long offset, Span<byte> buffer)
    {
        if (stretch.Kind == VmdkStretchKind.Data)
        {
            _file.ReadExactly(stretch.FileOffset, buffer);
        }
        else
        {
            ReadCompressed(offset / _layout.GrainSize, stretch.FileOffset, (int)(offset % _layout.GrainSize), buffer);
        }
    }

    /// <inheritdoc/>
    internal override long DamageEnd(long offset)
    {
        try
        {
            return Find(offset, 1).Kind == VmdkStretchKind.Data ? (offset | (VmdkLimits.SectorSize - 1)) + 1 : GrainEnd(offset);
        }
        catch (Exception e) when (e is Qcow2Exception or IOException)
        {
            return GrainEnd(offset);
        }
    }

    private long GrainEnd(long offset) => ((offset / _layout.GrainSize) + 1) * _layout.GrainSize;

    private bool HasEmptyTable(long grain)
    {
        long entry = _layout.DirectoryOffset + (grain / _layout.TableEntries * _layout.EntryLength);
        if (_layout.Kind == VmdkSparseKind.SeSparse)
        {
            return _pages.ReadUInt64(entry) == 0;
        }

        uint table = _pages.ReadUInt32(entry);
        long offset = (long)table * VmdkLimits.SectorSize;
        long length = _layout.TableEntries * _layout.EntryLength;
        return table == 0 || (table > 1 && offset <= _fileLength - length && _pages.IsZero(offset, length)); // 1 has meanings of its own.
    }

    /// <summary>Whether a grain goes on with what a stretch is. Damage in it is found when it is asked for.</summary>
    private bool IsContinued(long grain, VmdkStretchKind kind, long place, long after)
    {
        try
        {
            (VmdkStretchKind next, long nextPlace) = Grain(grain);
            return next == kind && (kind != VmdkStretchKind.Data || nextPlace == place + after);
        }
        catch (Qcow2Exception)
        {
            return false;
        }
    }

    /// <summary>What a grain is, and where it lies.</summary>
    private (VmdkStretchKind Kind, long FileOffset) Grain(long grain)
    {
        long directoryEntry = _layout.DirectoryOffset + (grain / _layout.TableEntries * _layout.EntryLength);
        long inTable = grain % _layout.TableEntries * _layout.EntryLength;
        (VmdkStretchKind kind, long place) = _layout.Kind == VmdkSparseKind.SeSparse ? SeSparseGrain(directoryEntry, inTable) : SectorGrain(directoryEntry, inTable);
        if (kind != VmdkStretchKind.Data)
        {
            return (kind, 0);
        }

        long needed = _layout.IsCompressed ? 1 : Math.Min(_layout.GrainSize, Length - (grain * _layout.GrainSize));
        return place >= VmdkLimits.SectorSize && place <= _fileLength - needed
            ? (_layout.IsCompressed ? VmdkStretchKind.Compressed : kind, place)
            : throw Qcow2Errors.Corrupt($"'{_file.Path}': grain {grain} is said to lie at 0x{place:x}, and the file has data between 0x200 and 0x{_fileLength:x}.");
    }

    private (VmdkStretchKind Kind, long FileOffset) SectorGrain(long directoryEntry, long inTable)
    {
        uint table = _pages.ReadUInt32(directoryEntry);
        if (EntryKind(table, directoryEntry) is VmdkStretchKind whole && whole != VmdkStretchKind.Data)
        {
            return (whole, 0);
        }

        long tableEntry = ((long)table * VmdkLimits.SectorSize) + inTable;
        if (tableEntry > _fileLength - sizeof(uint))
        {
            throw Qcow2Errors.PastEnd($"'{_file.Path}': the grain table of the directory's entry at 0x{directoryEntry:x},", (ulong)tableEntry, sizeof(uint), _fileLength);
        }

        uint sector = _pages.ReadUInt32(tableEntry);
        return (EntryKind(sector, tableEntry), (long)sector * VmdkLimits.SectorSize);
    }

    private VmdkStretchKind EntryKind(uint entry, long position) => entry switch
    {
        0 => VmdkStretchKind.Parent,
        1 when _layout.HasZeroedGrains => VmdkStretchKind.Zero,
        1 when _layout.Kind == VmdkSparseKind.Hosted
            => throw Qcow2Errors.Corrupt($"'{_file.Path}': the entry at 0x{position:x} is 1, which means zeros only where the header says so, and it does not."),
        _ => VmdkStretchKind.Data,
    };

    private (VmdkStretchKind Kind, long FileOffset) SeSparseGrain(long directoryEntry, long inTable)
    {
        const ulong TableMark = 0x1000_0000_0000_0000;
        ulong table = _pages.ReadUInt64(directoryEntry);
        if (table == 0)
        {
            return (VmdkStretchKind.Parent, 0);
        }

        if ((table & 0xffff_ffff_0000_0000) != TableMark)
        {
            throw Qcow2Errors.Corrupt($"'{_file.Path}': the grain directory's entry at 0x{directoryEntry:x} is 0x{table:x}, which leads to no grain table.");
        }

        long tableEntry = _layout.TablesOffset + ((long)(uint)table * _layout.TableEntries * sizeof(ulong)) + inTable;
        if (tableEntry > _fileLength - sizeof(ulong))
        {
            throw Qcow2Errors.PastEnd($"'{_file.Path}': the grain table of the directory's entry at 0x{directoryEntry:x},", (ulong)tableEntry, sizeof(ulong), _fileLength);
        }

        ulong entry = _pages.ReadUInt64(tableEntry);
        switch (entry >> 60)
        {
            case 0 when entry == 0:
                return (VmdkStretchKind.Parent, 0);
            case 1 or 2:
                return (VmdkStretchKind.Zero, 0);
            case 3:
                ulong index = ((entry >> 48) & 0xfff) | ((entry & 0xffff_ffff_ffff) << 12);
                return index <= (ulong)(VmdkLimits.MaxSectors * VmdkLimits.SectorSize / _layout.GrainSize)
                    ? (VmdkStretchKind.Data, _layout.GrainsOffset + ((long)index * _layout.GrainSize))
                    : throw Qcow2Errors.Corrupt($"'{_file.Path}': the grain table's entry at 0x{tableEntry:x} is 0x{entry:x}, far past the end of the file.");
            default:
                throw Qcow2Errors.Corrupt($"'{_file.Path}': the grain table's entry at 0x{tableEntry:x} is 0x{entry:x}, which means nothing.");
        }
    }

    private void ReadCompressed(long grain, long place, int inGrain, Span<byte> buffer)
        => _decoded.GetOrAdd(place, () => Decode(grain, place)).AsSpan(inGrain, buffer.Length).CopyTo(buffer);

    private byte[] Decode(long grain, long place)
    {
        int headerLength = _layout.HasGrainHeaders ? GrainHeaderLength : 0;

        // What cannot be compressed is longer than the grain.
        int most = (2 * _layout.GrainSize) + (2 * VmdkLimits.SectorSize);
        int length = (int)Math.Min(most, _fileLength - place - headerLength);
        if (headerLength > 0)
        {
            Span<byte> header = stackalloc byte[GrainHeaderLength];
            _file.ReadZeroPadded(place, header);
            ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header);
            uint said = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(8));
            if (sector != (ulong)(grain * (_layout.GrainSize / VmdkLimits.SectorSize)))
            {
                throw Damaged(grain, place, $"it says that it is that of sector {sector}");
            }

            if (said > length)
            {
                throw Damaged(grain, place, $"it is said to have {said} bytes, and {length} are there or possible");
            }

            length = (int)said;
        }

        if (length < ZlibHeaderLength)
        {
            throw Damaged(grain, place, "it is empty");
        }

        byte[] compressed = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            _file.ReadZeroPadded(place + headerLength, compressed.AsSpan(0, length));
            return Decompress(grain, place, compressed, length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(compressed);
        }
    }

    private byte[] Decompress(long grain, long place, byte[] compressed, int length)
    {
        // RFC 1950: method 8, and both bytes together a multiple of 31; a preset dictionary is nobody's.
        if ((compressed[0] & 0x0f) != 8 || ((compressed[0] << 8) | compressed[1]) % 31 != 0 || (compressed[1] & 0x20) != 0)
        {
            throw Damaged(grain, place, "it is no zlib stream");
        }

        // Of the last grain some programs write only what the disk has.
        byte[] content = new byte[_layout.GrainSize];
        int needed = (int)Math.Min(_layout.GrainSize, Length - (grain * _layout.GrainSize));
        compressed.AsSpan(ZlibHeaderLength, length - ZlibHeaderLength).CopyTo(compressed);
        if (!_decoder!.TryDecode(compressed, length - ZlibHeaderLength, content.AsSpan(0, needed)))
        {
            throw Damaged(grain, place, "it cannot be decompressed");
        }

        if (needed == _layout.GrainSize && _layout.HasGrainHeaders && length >= ZlibHeaderLength + ZlibTrailerLength)
        {
            uint stored = BinaryPrimitives.ReadUInt32BigEndian(compressed.AsSpan(length - ZlibHeaderLength - ZlibTrailerLength));
            uint computed = Adler32.Of(content);
            if (stored != computed)
            {
                throw Damaged(grain, place, $"its check sum is 0x{stored:x8}, and its content has 0x{computed:x8}");
            }
        }

        return content;
    }

    private Qcow2Exception Damaged(long grain, long place, string why) => Qcow2Errors.Corrupt($"'{_file.Path}': the compressed grain {grain} at 0x{place:x} is damaged: {why}.");
}
