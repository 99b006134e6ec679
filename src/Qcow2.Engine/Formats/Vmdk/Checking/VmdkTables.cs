using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>A grain table of an extent.</summary>
/// <param name="Place">Where it lies, in bytes.</param>
/// <param name="Index">Number of its entry in the directory.</param>
internal readonly record struct VmdkTable(long Place, int Index);

/// <summary>Looks at a grain directory, and finds the tables that it leads to.</summary>
/// <remarks>
/// Takes 16 bytes of memory for each table, of a bounded number of them. A table that more than one entry leads to is looked at once, so that the work is bounded by the file.
/// </remarks>
/// <param name="check">Told what was found.</param>
/// <param name="file">The extent's file.</param>
/// <param name="layout">What its header says.</param>
/// <param name="name">The file, in front of what is said of it; empty where it is the one that is checked.</param>
internal sealed class VmdkTables(FileCheck check, BlockStorage file, VmdkSparseLayout layout, string name)
{
    internal const string DirectoryName = "Grain directory";

    /// <summary>Most tables that are looked at, for which 64 MiB of memory are taken: those of a disk of 128 TiB, twice the largest that there is.</summary>
    private const int MaxTables = 4 << 20;

    private readonly List<VmdkTable> _tables = [];
    private readonly long _fileLength = file.Length;
    private bool _hasTooMany;

    /// <summary>Grains of the extent.</summary>
    internal long GrainCount { get; } = (layout.Capacity / layout.GrainSize) + (layout.Capacity % layout.GrainSize != 0 ? 1 : 0);

    /// <summary>Bytes of a table.</summary>
    internal int TableLength { get; } = (int)(layout.TableEntries * layout.EntryLength);

    /// <summary>The tables, in the order of the file; none lies on another one.</summary>
    internal IReadOnlyList<VmdkTable> All => _tables;

    /// <summary>Entries of a table that are about grains of the extent.</summary>
    internal int UsedEntries(int index) => (int)Math.Min(layout.TableEntries, GrainCount - (index * layout.TableEntries));

    internal static ulong EntryAt(ReadOnlySpan<byte> entries, int position, int length)
        => length == sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(entries.Slice(position)) : BinaryPrimitives.ReadUInt64LittleEndian(entries.Slice(position));

    /// <param name="reserved">Parts of the file in which no table can lie, each with its name.</param>
    internal void Find(IReadOnlyList<(DiskRange Range, string Name)> reserved)
    {
        long length = layout.DirectoryEntries * layout.EntryLength;
        check.JudgeTables(layout.DirectoryOffset, DirectoryName, length, _fileLength);
        TableScan.Run(file, layout.DirectoryOffset, length, skipsHoles: true, Look, check.CancellationToken);
        _tables.Sort((one, other) => one.Place != other.Place ? one.Place.CompareTo(other.Place) : one.Index.CompareTo(other.Index));
        DropThoseOnOthers();

        void Look(long position, ReadOnlySpan<byte> entries)
        {
            for (int i = 0; i <= entries.Length - layout.EntryLength; i += layout.EntryLength)
            {
                Examine((int)((position + i) / layout.EntryLength), EntryAt(entries, i, layout.EntryLength), reserved);
            }
        }
    }

    private void Examine(int index, ulong value, IReadOnlyList<(DiskRange Range, string Name)> reserved)
    {
        var entry = VmdkEntry.OfDirectory(layout, value);
        long at = layout.DirectoryOffset + ((long)index * layout.EntryLength);
        if (entry.Kind == VmdkEntryKind.Invalid)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.EntryInvalid, at, DirectoryName, () => $"{name}The entry {index} of the grain directory is 0x{value:x}, which means nothing here.", null, value);
        }

        if (entry.Kind != VmdkEntryKind.Place)
        {
            return;
        }

        var used = new DiskRange(entry.Place, (long)UsedEntries(index) * layout.EntryLength);
        if (used.End > _fileLength)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.PastEndOfFile, at, DirectoryName,
                () => $"{name}The entry {index} of the grain directory leads to a table at 0x{entry.Place:x}, and the file ends at 0x{_fileLength:x}.", (ulong)_fileLength, (ulong)used.End);
            if (used.Offset >= _fileLength)
            {
                return;
            }
        }

        foreach ((DiskRange range, string what) in reserved)
        {
            if (used.Offset < range.End && range.Offset < used.End)
            {
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, at, DirectoryName,
                    () => $"{name}The entry {index} of the grain directory leads to a table at 0x{entry.Place:x}, on {what}.", null, value);
                return;
            }
        }

        if (_tables.Count < MaxTables)
        {
            _tables.Add(new VmdkTable(entry.Place, index));
        }
        else if (!_hasTooMany)
        {
            _hasTooMany = true;
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FileTooLarge, at, DirectoryName, $"{name}The grain directory leads to more than {MaxTables} tables; the rest of them, from its entry {index} on, was not checked.");
        }
    }

    private void DropThoseOnOthers()
    {
        int kept = 0;
        for (int i = 0; i < _tables.Count; i++)
        {
            VmdkTable table = _tables[i];
            if (kept > 0 && table.Place < _tables[kept - 1].Place + TableLength)
            {
                VmdkTable other = _tables[kept - 1];
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, layout.DirectoryOffset + ((long)table.Index * layout.EntryLength), DirectoryName,
                    () => $"{name}The entries {other.Index} and {table.Index} of the grain directory lead to one table or two that overlap, at 0x{table.Place:x}.");
            }
            else
            {
                _tables[kept++] = table;
            }
        }

        _tables.RemoveRange(kept, _tables.Count - kept);
    }
}
