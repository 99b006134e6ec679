using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>Draws how a disk is allocated.</summary>
/// <param name="signs">The signs to draw with.</param>
/// <param name="width">Columns that there are for a line.</param>
/// <param name="height">The most rows of a picture of all files together.</param>
internal sealed class PictureDrawing(PictureSigns signs, int width, int height)
{
    /// <summary>How many parts of the disk have a sign.</summary>
    /// <param name="isByLayer">Whether each file of the chain has a row of its own.</param>
    internal int CellCount(bool isByLayer) => Math.Min(AllocationMap.MaxCellCount, Columns(isByLayer) * (isByLayer ? 1 : height));

    /// <summary>Draws.</summary>
    /// <param name="map">What lies where.</param>
    /// <param name="isByLayer">Whether each file of the chain has a row of its own.</param>
    internal Qcow2ImagePicture Draw(AllocationMap map, bool isByLayer) => new()
    {
        Path = map.Layers[0].Path,
        Size = map.Size,
        Width = width,
        BytesPerSign = map.Cells.Count == 0 ? 0 : map.Cells.Max(cell => cell.Length),
        Rows = [.. isByLayer ? RowsByLayer(map) : Rows(map)],
        Legend = [.. Legend(map, isByLayer)],
    };

    /// <summary>Signs in a row. What stands before them takes the rest of the line, and one column stays free, because some terminals wrap in the last one.</summary>
    private int Columns(bool isByLayer) => width - PictureText.LabelWidth(width, isByLayer) - 3;

    private IEnumerable<Qcow2PictureRow> Rows(AllocationMap map)
    {
        int columns = Columns(isByLayer: false);
        for (int first = 0; first < map.Cells.Count; first += columns)
        {
            yield return new Qcow2PictureRow
            {
                Offset = map.Cells[first].Offset,
                Signs = string.Concat(map.Cells.Skip(first).Take(columns).Select(cell => signs.Of(cell))),
            };
        }
    }

    private IEnumerable<Qcow2PictureRow> RowsByLayer(AllocationMap map) => map.Layers.Select((layer, depth) => new Qcow2PictureRow
    {
        Depth = depth,
        FilePath = layer.Path,
        Signs = string.Concat(map.Cells.Select(cell => signs.Of(cell, depth))),
    });

    private IEnumerable<Qcow2PictureLegend> Legend(AllocationMap map, bool isByLayer)
    {
        for (int depth = 0; depth < map.Layers.Count; depth++)
        {
            (string path, AllocationShare total) = map.Layers[depth];
            int shown = isByLayer ? 0 : depth;
            string? Partial(bool isCompressed) => shown > 0 ? null : signs.Stored(0, isCompressed, isSome: true).ToString();
            Qcow2PictureLegend Entry(char sign, string? partial, ExtentKind kind, bool isCompressed, long bytes) => new()
            {
                Sign = sign.ToString(),
                PartialSign = partial,
                Kind = kind,
                IsCompressed = isCompressed,
                Depth = depth,
                FilePath = path,
                Bytes = bytes,
            };

            Qcow2PictureLegend[] entries =
            [
                Entry(signs.Stored(shown, isCompressed: false, isSome: false), Partial(isCompressed: false), ExtentKind.Data, isCompressed: false, total.DataBytes),
                Entry(signs.Stored(shown, isCompressed: true, isSome: false), Partial(isCompressed: true), ExtentKind.Data, isCompressed: true, total.CompressedBytes),
                Entry(signs.Zero, null, ExtentKind.Zero, isCompressed: false, total.ZeroBytes),
            ];
            foreach (Qcow2PictureLegend entry in entries.Where(entry => entry.Bytes > 0))
            {
                yield return entry;
            }
        }

        if (map.UnallocatedBytes > 0)
        {
            yield return new Qcow2PictureLegend { Sign = signs.Free.ToString(), Kind = ExtentKind.Unallocated, Bytes = map.UnallocatedBytes };
        }
    }
}
