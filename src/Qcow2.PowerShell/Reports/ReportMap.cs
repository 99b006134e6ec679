using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Reports;

/// <summary>How a disk is allocated, in the signs of Show-Qcow2Image: by their rules, so that both show the same.</summary>
/// <param name="Size">Bytes of the disk.</param>
/// <param name="Signs">A sign for each part of the disk.</param>
/// <param name="Layers">The files of the chain, from the top.</param>
/// <param name="FreeBytes">Bytes that no file has anything for.</param>
internal sealed record ReportMap(long Size, string Signs, IReadOnlyList<ReportLayer> Layers, long FreeBytes)
{
    /// <summary>Parts of the disk in a row of the picture.</summary>
    internal const int Columns = 64;

    /// <summary>Into how many parts a disk is divided.</summary>
    internal const int CellCount = Columns * 10;

    /// <summary>Files of a chain that have a strip of their own. Deeper ones are told by their numbers alone.</summary>
    internal const int MostStrips = 9;

    /// <summary>Draws a map.</summary>
    internal static ReportMap Of(AllocationMap map)
    {
        PictureSigns signs = PictureSigns.Blocks;
        string Strip(int depth) => map.Layers.Count == 1 || depth >= MostStrips ? "" : string.Concat(map.Cells.Select(cell => signs.Of(cell, depth)));
        return new ReportMap(
            map.Size,
            string.Concat(map.Cells.Select(cell => signs.Of(cell))),
            [.. map.Layers.Select((layer, depth) => new ReportLayer(ReportText.FileName(layer.Path), layer.Total, Strip(depth)))],
            map.UnallocatedBytes);
    }
}

/// <summary>A file of the chain in a map.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Total">What the disk has from it.</param>
/// <param name="Signs">A sign for each part of the disk; empty where the file has no strip of its own.</param>
internal sealed record ReportLayer(string Name, AllocationShare Total, string Signs);
