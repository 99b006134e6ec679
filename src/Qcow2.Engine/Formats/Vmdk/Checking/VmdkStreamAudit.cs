using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>
/// Looks at what stands between the parts of a stream whose directory lies at its end: markers in front of tables and directory, the footer, the end marker.
/// Who reads by the tables needs none of it but the footer; who reads from the front to the back, as an import of ESXi does, needs all.
/// </summary>
internal static class VmdkStreamAudit
{
    private const string Table = "Stream markers";

    internal static void Run(FileCheck check, BlockStorage file, VmdkSparseLayout layout, VmdkHostedHeader header, VmdkTables tables, string name)
    {
        if (layout.HasGrainHeaders)
        {
            ExamineMarkers(check, file, layout, tables, name);
        }

        if (VmdkSparseLayout.FindFooter(file) is long footer)
        {
            ExamineEnd(check, file, header, footer, name);
        }
    }

    private static void ExamineMarkers(FileCheck check, BlockStorage file, VmdkSparseLayout layout, VmdkTables tables, string name)
    {
        long missing = 0;
        long first = 0;
        foreach (VmdkTable table in tables.All)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            if (!HasMarker(file, table.Place, VmdkMarker.GrainTable))
            {
                first = missing++ == 0 ? table.Place : first;
            }
        }

        if (missing > 0)
        {
            Add(check, first, $"{name}{missing} of {tables.All.Count} grain tables, the first at 0x{first:x}, have no marker in front.");
        }

        if (!HasMarker(file, layout.DirectoryOffset, VmdkMarker.GrainDirectory))
        {
            Add(check, layout.DirectoryOffset, $"{name}The grain directory at 0x{layout.DirectoryOffset:x} has no marker in front.");
        }
    }

    private static void ExamineEnd(FileCheck check, BlockStorage file, VmdkHostedHeader header, long footer, string name)
    {
        byte[] sector = new byte[VmdkMarker.Length];
        file.ReadZeroPadded(footer, sector);
        if (!header.Bytes.AsSpan(0, VmdkHostedHeader.DirectoriesPosition).SequenceEqual(sector.AsSpan(0, VmdkHostedHeader.DirectoriesPosition))
            || !header.Bytes.AsSpan(VmdkHostedHeader.DirectoriesEnd).SequenceEqual(sector.AsSpan(VmdkHostedHeader.DirectoriesEnd)))
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, footer, "Footer",
                $"{name}The footer at 0x{footer:x} differs from the header in more than where the directory lies; the header counts.");
        }

        if (!HasMarker(file, footer, VmdkMarker.Footer))
        {
            Add(check, footer, $"{name}The footer at 0x{footer:x} has no marker in front.");
        }

        bool hasEnd = footer + (2 * VmdkMarker.Length) <= file.Length;
        file.ReadZeroPadded(footer + VmdkMarker.Length, sector);
        if (!hasEnd || !SpanSearch.IsAllZero(sector))
        {
            Add(check, footer + VmdkMarker.Length, $"{name}No end marker follows the footer at 0x{footer:x}: the last bytes of the file may be missing.");
        }
    }

    private static bool HasMarker(BlockStorage file, long place, uint type)
    {
        byte[] marker = new byte[16];
        file.ReadZeroPadded(Math.Max(0, place - VmdkMarker.Length), marker);
        return BinaryPrimitives.ReadUInt32LittleEndian(marker.AsSpan(8)) == 0 && BinaryPrimitives.ReadUInt32LittleEndian(marker.AsSpan(12)) == type;
    }

    private static void Add(FileCheck check, long offset, string message)
        => check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MarkerDamaged, offset, Table, message);
}
