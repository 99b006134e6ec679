using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Compares the grain directory and its tables with their copies, as far as there are any.</summary>
internal static class VmdkCopyAudit
{
    private const string Table = "Redundant grain directory";

    /// <param name="check">Told what was found.</param>
    /// <param name="file">The extent's file.</param>
    /// <param name="layout">What its header says.</param>
    /// <param name="tables">The tables that count.</param>
    /// <param name="copy">Where the copy of the directory lies.</param>
    /// <param name="reserved">Told where the copies of tables lie.</param>
    /// <param name="name">The file, in front of what is said of it.</param>
    internal static void Run(
        FileCheck check, BlockStorage file, VmdkSparseLayout layout, VmdkTables tables, long copy, ICollection<(DiskRange Range, string Name)> reserved, string name)
    {
        var pages = new TablePages(file);
        byte[] one = new byte[tables.TableLength];
        byte[] other = new byte[tables.TableLength];
        long fileLength = file.Length;
        long budget = fileLength; // Copies in one place are no copies, and not read over and over.
        foreach (VmdkTable table in tables.All)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            long at = copy + ((long)table.Index * sizeof(uint));
            long place = pages.ReadUInt32(at) * (long)VmdkLimits.SectorSize;
            if (place == table.Place)
            {
                continue;
            }

            if (place <= VmdkLimits.SectorSize || place > fileLength - tables.TableLength)
            {
                Add(at, $"The copy of the grain directory leads to no table for its entry {table.Index}: 0x{place:x}.");
                continue;
            }

            if ((budget -= tables.TableLength) < 0)
            {
                return;
            }

            reserved.Add((new DiskRange(place, tables.TableLength), "a copy of a grain table"));
            file.ReadZeroPadded(table.Place, one);
            file.ReadZeroPadded(place, other);
            int length = tables.UsedEntries(table.Index) * layout.EntryLength;
            if (!one.AsSpan(0, length).SequenceEqual(other.AsSpan(0, length)))
            {
                Add(at, $"The copy of grain table {table.Index} at 0x{place:x} differs from the one at 0x{table.Place:x}, which counts.");
            }
        }

        void Add(long at, string message) => check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, at, Table, name + message);
    }
}
