using System.Text;
using System.Xml.Linq;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>The allocation of a disk as a picture, and the same in numbers below it.</summary>
internal static class MapFigure
{
    internal static XElement Of(ReportMap map, string name) => Classed("figure", "map",
        El("h4", "What lies where"),
        Picture(map, name),
        Strips(map),
        Legend(map));

    /// <summary>The disk from its first byte to its last, in rows.</summary>
    private static XElement Picture(ReportMap map, string name)
    {
        int rows = (map.Signs.Length + ReportMap.Columns - 1) / ReportMap.Columns;
        return El("svg", At("class", "disk"), At("role", "img"), At("aria-label", $"The disk of {name} from its first byte to its last: {Words(map)}."),
            At("viewBox", $"0 0 {(ReportMap.Columns * MapSigns.Unit) - 1} {(rows * MapSigns.Unit) - 1}"),
            map.Signs.Distinct().Select(sign => El("path", At("fill", $"url(#{MapSigns.Pattern(sign)})"), At("d", Squares(map.Signs, sign)))));
    }

    /// <summary>Where a sign stands, as one path: runs of it are one rectangle.</summary>
    private static string Squares(string signs, char sign)
    {
        var path = new StringBuilder();
        for (int start = 0, end; start < signs.Length; start = end)
        {
            int rowEnd = Math.Min(signs.Length, ((start / ReportMap.Columns) + 1) * ReportMap.Columns);
            end = RunEnd(signs, start, rowEnd);
            if (signs[start] == sign)
            {
                Rectangle(path, start % ReportMap.Columns * MapSigns.Unit, start / ReportMap.Columns * MapSigns.Unit, (end - start) * MapSigns.Unit, MapSigns.Unit);
            }
        }

        return path.ToString();
    }

    private static int RunEnd(string signs, int start, int limit)
    {
        int end = start + 1;
        while (end < limit && signs[end] == signs[start])
        {
            end++;
        }

        return end;
    }

    private static void Rectangle(StringBuilder path, int x, int y, int width, int height)
        => path.Append(FormattableString.Invariant($"M{x} {y}h{width}v{height}h-{width}z"));

    /// <summary>A strip for each file of the chain: where the guest sees data of that file.</summary>
    private static XElement? Strips(ReportMap map)
    {
        if (map.Layers.Count < 2)
        {
            return null;
        }

        int hidden = map.Layers.Count(layer => layer.Signs.Length == 0);
        return Classed("div", "strips",
            El("p", At("class", "quiet"), "From which file of the chain:"),
            El("ul", map.Layers.Where(layer => layer.Signs.Length > 0).Select((layer, depth) => El("li",
                Classed("span", "strip-name", Name(layer.Name)),
                El("svg", At("role", "img"), At("aria-label", $"{ReportText.Size(layer.Total.Bytes)} of the disk come from {layer.Name}."),
                    At("viewBox", $"0 0 {layer.Signs.Length} 12"), At("preserveAspectRatio", "none"),
                    El("rect", At("class", "track"), At("width", $"{layer.Signs.Length}"), At("height", "12")),
                    El("path", At("class", MapSigns.Color(depth)), At("d", Bands(layer.Signs))))))),
            hidden == 0 ? null : El("p", At("class", "quiet"), $"{ReportText.Count(hidden, "file")} further down {(hidden == 1 ? "has" : "have")} no strip."));
    }

    /// <summary>The runs of a strip: data is as high as the strip, and half as high where less than half is stored; compressed data is two bands, zeros are a line.</summary>
    private static string Bands(string signs)
    {
        var path = new StringBuilder();
        for (int start = 0, end; start < signs.Length; start = end)
        {
            end = RunEnd(signs, start, signs.Length);
            int width = end - start;
            switch (signs[start])
            {
                case ' ' or '·':
                    break;
                case '░':
                    Rectangle(path, start, 5, width, 2);
                    break;
                case char sign when MapSigns.IsCompressed(sign):
                    int top = MapSigns.IsSome(sign) ? 6 : 0;
                    Rectangle(path, start, top, width, (12 - top) / 3);
                    Rectangle(path, start, top + ((12 - top) * 2 / 3), width, (12 - top) / 3);
                    break;
                case char sign:
                    Rectangle(path, start, MapSigns.IsSome(sign) ? 6 : 0, width, MapSigns.IsSome(sign) ? 6 : 12);
                    break;
            }
        }

        return path.ToString();
    }

    /// <summary>The picture in words.</summary>
    private static string Words(ReportMap map)
    {
        long Sum(Func<AllocationShare, long> of) => map.Layers.Sum(layer => of(layer.Total));
        (string Kind, long Bytes)[] kinds = [("data", Sum(share => share.DataBytes)), ("compressed data", Sum(share => share.CompressedBytes)), ("zeros", Sum(share => share.ZeroBytes)), ("free", map.FreeBytes)];
        return string.Join(", ", kinds.Where(kind => kind.Bytes > 0).Select(kind => $"{ReportText.Share(kind.Bytes, map.Size)} {kind.Kind}"));
    }

    private static XElement Legend(ReportMap map)
    {
        bool isChain = map.Layers.Count > 1;
        return El("table", At("class", "legend"),
            El("caption", Unseen("What the picture shows, in numbers.")),
            El("thead", At("class", "unseen"), El("tr", El("th", At("scope", "col"), "Kind"), isChain ? El("th", At("scope", "col"), "File") : null, El("th", At("scope", "col"), "Size"), El("th", At("scope", "col"), "Share"))),
            El("tbody", Entries(map).Where(entry => entry.Bytes > 0).Select(entry => El("tr",
                El("th", At("scope", "row"), Key(entry.Pattern), " ", entry.Kind),
                isChain ? El("td", entry.File.Length == 0 ? null : Name(entry.File)) : null,
                El("td", At("class", "number"), ReportText.Size(entry.Bytes)),
                El("td", At("class", "number"), ReportText.Share(entry.Bytes, map.Size))))));
    }

    private static IEnumerable<(string Pattern, string Kind, string File, long Bytes)> Entries(ReportMap map)
    {
        for (int depth = 0; depth < map.Layers.Count; depth++)
        {
            ReportLayer layer = map.Layers[depth];
            char data = PictureSigns.Blocks.Stored(depth, isCompressed: false, isSome: false);
            char packed = PictureSigns.Blocks.Stored(depth, isCompressed: true, isSome: false);
            yield return (MapSigns.Pattern(data), "data", layer.Name, layer.Total.DataBytes);
            yield return (MapSigns.Pattern(packed), "compressed", layer.Name, layer.Total.CompressedBytes);
            yield return (MapSigns.Pattern('░'), "zeros", layer.Name, layer.Total.ZeroBytes);
        }

        yield return (MapSigns.Pattern('·'), "free", "", map.FreeBytes);
    }

    private static XElement Key(string pattern)
        => El("svg", At("class", "key"), Decoration(), At("width", "14"), At("height", "14"), At("viewBox", "0 0 9 9"), El("rect", At("width", "9"), At("height", "9"), At("fill", $"url(#{pattern})")));
}
