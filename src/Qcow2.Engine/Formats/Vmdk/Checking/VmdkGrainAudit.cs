using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Looks at every entry of the grain tables: where its grain lies, what else lies there, and, in a stream, whether the grain says that it is that one.</summary>
/// <remarks>
/// Grains start at any sector, so a bit for each sector of the file tells whether two share one. Of a file of more than 512 GiB that is done for a part after
/// the other, for each of which the tables are read again.
/// </remarks>
internal sealed class VmdkGrainAudit
{
    private const string Table = "Grain table";
    private const int GrainHeaderLength = 12;
    private const int ZlibHeaderLength = 2;

    private readonly FileCheck _check;
    private readonly BlockStorage _file;
    private readonly VmdkSparseLayout _layout;
    private readonly VmdkTables _tables;
    private readonly IReadOnlyList<(DiskRange Range, string Name)> _reserved;
    private readonly string _name;
    private readonly long _length;

    /// <summary>Asked once: the host takes longer to say it than an entry takes to be looked at.</summary>
    private readonly long _fileLength;
    private long _next = -1;
    private long _firstPlace = long.MaxValue;

    /// <param name="check">Told what was found.</param>
    /// <param name="file">The extent's file.</param>
    /// <param name="layout">What its header says.</param>
    /// <param name="length">Bytes of the extent that are part of the disk.</param>
    /// <param name="tables">The tables.</param>
    /// <param name="reserved">Parts of the file that are neither tables nor grains, each with its name.</param>
    /// <param name="name">The file, in front of what is said of it.</param>
    internal VmdkGrainAudit(
        FileCheck check, BlockStorage file, VmdkSparseLayout layout, long length, VmdkTables tables, IReadOnlyList<(DiskRange Range, string Name)> reserved, string name)
    {
        _check = check;
        _file = file;
        _fileLength = file.Length;
        _layout = layout;
        _length = length;
        _tables = tables;
        _reserved = reserved;
        _name = name;
    }

    internal void Run()
    {
        long sectors = (_fileLength + VmdkLimits.SectorSize - 1) / VmdkLimits.SectorSize;
        for (long first = 0; first == 0 || first < sectors; first += SpaceMap.MaxUnits)
        {
            ExaminePart(first, Math.Min(SpaceMap.MaxUnits, sectors - first));
        }
    }

    private void ExaminePart(long firstSector, long sectors)
    {
        var metadata = new SpaceMap(sectors);
        foreach ((DiskRange range, _) in _reserved)
        {
            Take(metadata, firstSector, range.Offset, range.Length);
        }

        foreach (VmdkTable table in _tables.All)
        {
            Take(metadata, firstSector, table.Place, _tables.TableLength);
        }

        var grains = new SpaceMap(sectors);
        byte[] entries = new byte[_tables.TableLength];
        var holes = new HoleFinder(_file, HoleFinder.IsSparse(_file));
        for (int i = 0; i < _tables.All.Count; i++)
        {
            _check.CancellationToken.ThrowIfCancellationRequested();
            _check.Report(i, _tables.All.Count);
            VmdkTable table = _tables.All[i];
            if (holes.IsHole(table.Place, entries.Length))
            {
                continue; // Entries of zero say nothing.
            }

            _file.ReadZeroPadded(table.Place, entries);
            for (int entry = 0; entry < _tables.UsedEntries(table.Index); entry++)
            {
                ulong value = VmdkTables.EntryAt(entries, entry * _layout.EntryLength, _layout.EntryLength);
                if (value != 0)
                {
                    Examine(table, entry, value, firstSector, metadata, grains);
                }
            }
        }

        // What a stream's grains take is known where they say it; seSparse has structures that are not looked at.
        if (_layout.Kind != VmdkSparseKind.SeSparse && (!_layout.IsCompressed || _layout.HasGrainHeaders))
        {
            FindUnused(firstSector, metadata, grains);
        }
    }

    private void Examine(VmdkTable table, int index, ulong value, long firstSector, SpaceMap metadata, SpaceMap grains)
    {
        var entry = VmdkEntry.OfTable(_layout, value);
        long at = table.Place + ((long)index * _layout.EntryLength);
        long grain = (table.Index * _layout.TableEntries) + index;
        bool isFirst = firstSector == 0;
        if (entry.Kind == VmdkEntryKind.Invalid && isFirst)
        {
            AddInvalid(grain, at, value);
        }

        long offset = grain * _layout.GrainSize;
        if (entry.Kind != VmdkEntryKind.Place || offset >= _length)
        {
            return;
        }

        long needed = _layout.IsCompressed ? 1 : Math.Min(_layout.GrainSize, _length - offset);
        if (entry.Place > _fileLength - needed)
        {
            if (isFirst)
            {
                AddPastEnd(grain, at, entry.Place, needed);
            }

            return;
        }

        if (isFirst)
        {
            _check.AllocatedBlocks++;
            _check.CompressedBlocks += _layout.IsCompressed ? 1 : 0;
            _check.FragmentedBlocks += _layout.IsCompressed || (_next >= 0 && entry.Place != _next) ? 1 : 0;
            _next = entry.Place + _layout.GrainSize;
            _firstPlace = Math.Min(_firstPlace, entry.Place);
        }

        if (_layout.HasGrainHeaders)
        {
            if (IsElsewhere(entry.Place, firstSector, grains.Units))
            {
                return;
            }

            needed = PackedLength(grain, at, entry.Place);
        }

        Take(grain, at, entry.Place, needed, firstSector, metadata, grains);
    }

    private void Take(long grain, long at, long place, long needed, long firstSector, SpaceMap metadata, SpaceMap grains)
    {
        if (firstSector == 0 && _name.Length == 0)
        {
            _check.EndOffset = Math.Max(_check.EndOffset, Math.Min(_fileLength, place + Math.Max(needed, _layout.IsCompressed ? 0 : _layout.GrainSize)));
        }

        long sector = (place / VmdkLimits.SectorSize) - firstSector;
        long count = (needed + VmdkLimits.SectorSize - 1) / VmdkLimits.SectorSize;
        if (!metadata.IsFree(sector, count))
        {
            AddOverlap(grain, at, place);
        }
        else if (!grains.TryTake(sector, count))
        {
            AddShared(grain, at, place);
        }
    }

    /// <summary>What a grain of a stream takes, by its own header; a sector if that is wrong.</summary>
    private long PackedLength(long grain, long at, long place)
    {
        Span<byte> header = stackalloc byte[GrainHeaderLength];
        _file.ReadZeroPadded(place, header);
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(8));
        ulong expected = (ulong)(grain * (_layout.GrainSize / VmdkLimits.SectorSize));
        if (sector != expected)
        {
            AddElsewhere(grain, at, place, sector, expected);
            return VmdkLimits.SectorSize;
        }

        long most = (2L * _layout.GrainSize) + (2 * VmdkLimits.SectorSize);
        if (length is < ZlibHeaderLength || length > most || place + GrainHeaderLength + length > _fileLength)
        {
            AddLength(grain, at, place, length, isCut: length <= most && length >= ZlibHeaderLength);
            return VmdkLimits.SectorSize;
        }

        return GrainHeaderLength + length;
    }

    /// <summary>Headers of grains are read with the part of the file that they lie in. A grain that reaches into the next part is found by what it starts on.</summary>
    private static bool IsElsewhere(long place, long firstSector, long sectors)
        => (place / VmdkLimits.SectorSize) - firstSector is long sector && (sector < 0 || sector >= sectors);

    /// <summary>In front of the first grain everybody leaves the room that he likes.</summary>
    private void FindUnused(long firstSector, SpaceMap metadata, SpaceMap grains)
    {
        grains.Add(metadata);
        foreach ((long first, long count) in grains.Free())
        {
            long start = (firstSector + first) * VmdkLimits.SectorSize;
            long length = Math.Min(_fileLength - start, count * VmdkLimits.SectorSize);
            if (length >= _layout.GrainSize && start >= _firstPlace)
            {
                _check.AddUnused(Qcow2CheckSeverity.Leak, start, length, _layout.GrainSize);
            }
        }
    }

    private static void Take(SpaceMap map, long firstSector, long offset, long length)
    {
        long start = offset / VmdkLimits.SectorSize;
        map.TryTake(start - firstSector, ((offset + length + VmdkLimits.SectorSize - 1) / VmdkLimits.SectorSize) - start);
    }

    // Sentences are made apart from where they are needed: there are millions of entries, and hardly any has one.
    private void AddInvalid(long grain, long at, ulong value)
        => Add(
            Qcow2CheckFindingKind.EntryInvalid, at, () => $"The entry of grain {grain} is 0x{value:x}, which means {(value == 1 ? "zeros only where the header says so, and it does not" : "nothing")}.", value);

    private void AddPastEnd(long grain, long at, long place, long needed)
    {
        bool isCut = place < _fileLength;
        Add(
            isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.PastEndOfFile, at,
            () => $"Grain {grain} lies at 0x{place:x} and takes {needed} bytes; the file ends at 0x{_fileLength:x}{(isCut ? ", so that its end is missing" : "")}.", (ulong)place);
    }

    private void AddOverlap(long grain, long at, long place)
        => Add(Qcow2CheckFindingKind.MetadataOverlap, at, () => $"Grain {grain} at 0x{place:x} lies on the header, the descriptor, the grain directory or a grain table.", (ulong)place);

    private void AddShared(long grain, long at, long place)
        => Add(Qcow2CheckFindingKind.BlockOverlap, at, () => $"Grain {grain} at 0x{place:x} lies where another grain lies, too: one of them shows data of the other.", (ulong)place);

    private void AddElsewhere(long grain, long at, long place, ulong sector, ulong expected)
        => Add(
            Qcow2CheckFindingKind.MarkerDamaged, at, () => $"Grain {grain} at 0x{place:x} says that it is that of sector {sector} of the disk, and its table that it is that of {expected}.", sector);

    private void AddLength(long grain, long at, long place, uint length, bool isCut)
        => Add(
            isCut ? Qcow2CheckFindingKind.FileCutOff : Qcow2CheckFindingKind.MarkerDamaged, at,
            () => $"Grain {grain} at 0x{place:x} is said to have {length} bytes, compressed{(isCut ? $"; the file ends at 0x{_fileLength:x}" : $", which no grain of {_layout.GrainSize} has")}.", length);

    private void Add(Qcow2CheckFindingKind kind, long offset, Func<string> message, ulong found)
        => _check.Add(Qcow2CheckSeverity.Corruption, kind, offset, Table, () => _name + message(), null, found);
}
