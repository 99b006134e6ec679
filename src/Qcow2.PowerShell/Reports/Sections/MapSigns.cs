using System.Xml.Linq;
using Qcow2.PowerShell.Operations;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>
/// How the signs of Show-Qcow2Image look in a report. The file of the chain is the colour, in the order that the views have; what kind of thing it is, is the shape, so that nothing depends on
/// the colour: a full square is data, half of one is data where less than half of the part is stored, stripes are compressed, a frame is zeros, a dot is free.
/// </summary>
internal static class MapSigns
{
    /// <summary>Units of a part in a picture, the gap to the next one included.</summary>
    internal const int Unit = 10;

    private const int ColorCount = 6;

    private const string Full = "M0 0h9v9h-9z";
    private const string Half = "M0 5h9v4h-9z";
    private const string Stripes = "M0 0h9v2.2h-9zM0 3.4h9v2.2h-9zM0 6.8h9v2.2h-9z";
    private const string HalfStripes = "M0 5h9v1.4h-9zM0 7.6h9v1.4h-9z";
    private const string Frame = "M0.5 0.5h8v8h-8z";
    private const string Dot = "M3.5 3.5h2v2h-2z";

    /// <summary>Whether a sign stands for what a file stores compressed.</summary>
    internal static bool IsCompressed(char sign) => sign is '▓' or '▒' or (>= 'a' and <= 'i');

    /// <summary>Whether less than half of the part is stored.</summary>
    internal static bool IsSome(char sign) => sign is '▄' or '▒';

    /// <summary>The class that gives the colour of a file of the chain.</summary>
    internal static string Color(int depth) => "layer" + (depth % ColorCount);

    /// <summary>The id of the pattern that a sign is drawn with.</summary>
    internal static string Pattern(char sign) => sign switch
    {
        '░' => "zero",
        '·' => "free",
        _ => $"{(IsCompressed(sign) ? "packed" : "data")}{(IsSome(sign) ? "-some" : "")}-{(PictureSigns.DepthOf(sign) ?? 0) % ColorCount}",
    };

    /// <summary>All patterns, once for the whole document. It takes no room.</summary>
    internal static XElement Patterns() => El("svg", At("class", "patterns"), Decoration(), At("width", "0"), At("height", "0"),
        El("defs",
            Define("zero", El("path", At("class", "zero"), At("d", Frame))),
            Define("free", El("path", At("class", "free"), At("d", Dot))),
            Enumerable.Range(0, ColorCount).SelectMany(color => new[]
            {
                Define($"data-{color}", Shape(color, Full)),
                Define($"data-some-{color}", Shape(color, Half)),
                Define($"packed-{color}", Shape(color, Stripes)),
                Define($"packed-some-{color}", Shape(color, HalfStripes)),
            }),
            El("pattern", At("id", "hatch"), At("patternUnits", "userSpaceOnUse"), At("width", "6"), At("height", "6"),
                El("rect", At("class", "hatch-ground"), At("width", "6"), At("height", "6")),
                El("path", At("class", "hatch"), At("d", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5")))));

    private static XElement Shape(int color, string path) => El("path", At("class", "layer" + color), At("d", path));

    private static XElement Define(string id, XElement shape)
        => El("pattern", At("id", id), At("patternUnits", "userSpaceOnUse"), At("width", $"{Unit}"), At("height", $"{Unit}"), shape);
}
