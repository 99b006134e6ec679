using System.Text;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>A picture of a disk as lines of text, with colours where they are wanted. Names in it come out of files, and pass through <see cref="DisplayText.Printable"/>.</summary>
/// <param name="picture">The picture.</param>
/// <param name="hasColors">Whether to colour.</param>
internal sealed class PictureText(Qcow2ImagePicture picture, bool hasColors)
{
    private const string Reset = "\u001b[0m";
    private const string Faint = "\u001b[90m";

    /// <summary>The layers of a chain, from the top; then they begin anew.</summary>
    private static readonly string[] LayerColors = ["\u001b[36m", "\u001b[33m", "\u001b[35m", "\u001b[32m", "\u001b[34m", "\u001b[31m"];

    /// <summary>Columns that a legend takes without names of files.</summary>
    private const int LegendWidth = 49;

    /// <summary>What explains the second sign, where there is room.</summary>
    private const string Partial = " under half)";

    /// <summary>Columns that a name has however narrow the line is.</summary>
    private const int Least = 5;

    /// <summary>Whether the line has room for explanations.</summary>
    private bool IsWide => picture.Width >= 60;

    /// <summary>Columns that what a row is about takes, before the row.</summary>
    /// <param name="width">Columns of the line.</param>
    /// <param name="isByLayer">Whether it is about one file of the chain, which has a name.</param>
    internal static int LabelWidth(int width, bool isByLayer) => !isByLayer ? 8 : width >= 80 ? 20 : 12;

    /// <summary>The lines: what it is, the picture, the legend.</summary>
    internal string[] Lines()
        => [Heading(), .. picture.Rows.Select(row => $"{Label(row)} {Edge}{Colored(row)}"), .. picture.Legend.Select(Entry)];

    /// <summary>A picture in plain signs has a plain edge.</summary>
    private char Edge => picture.Legend.All(entry => entry.Sign.All(sign => sign < 128)) && picture.Rows.All(row => row.Signs.All(sign => sign < 128)) ? '|' : '│';

    private bool IsChain => picture.Legend.Any(entry => entry.Depth > 0) || picture.Rows.Any(row => row.Depth > 0);

    private string Heading()
    {
        string snapshot = picture.SnapshotName is null && picture.SnapshotId is null ? ""
            : $", snapshot {Fit(DisplayText.Printable(picture.SnapshotName), picture.Width / 4)} ({Fit(DisplayText.Printable(picture.SnapshotId), Least)})";
        string scale = picture.BytesPerSign > 0 && IsWide ? $"; a sign is {DisplayText.Size(picture.BytesPerSign)}" : "";
        int room = picture.Width - snapshot.Length - scale.Length - 12;
        return $"{Fit(DisplayText.FileName(picture.Path), room)}{snapshot}: {DisplayText.Size(picture.Size)}{scale}";
    }

    private string Label(Qcow2PictureRow row)
    {
        int columns = LabelWidth(picture.Width, row.Depth is not null);
        return Fit(row.Depth is null ? DisplayText.Size(row.Offset) : DisplayText.FileName(row.FilePath), columns).PadLeft(columns);
    }

    /// <summary>A name in so many columns; of a long one the end, where names differ and types stand.</summary>
    private static string Fit(string name, int columns)
        => name.Length <= Math.Max(Least, columns) ? name : $"..{name.Substring(name.Length - Math.Max(Least, columns) + 2)}";

    private string Entry(Qcow2PictureLegend entry)
    {
        string kind = entry.Kind switch
        {
            ExtentKind.Zero => "zeros",
            ExtentKind.Unallocated => "free",
            _ => entry.IsCompressed ? "compressed" : "data",
        };
        string sign = Colored(entry.Sign, entry.Kind == ExtentKind.Data ? entry.Depth : null);
        bool hasPartial = entry.PartialSign is not null && IsWide;
        string partial = hasPartial ? $" ({Colored(entry.PartialSign!, entry.Depth)}{Partial}" : "";
        int padding = (IsWide ? Partial.Length + 3 : 0) + "compressed".Length - kind.Length - (hasPartial ? Partial.Length + 3 : 0);
        string share = IsWide ? DisplayText.Share(entry.Bytes, picture.Size).PadLeft(9) : "";
        int room = picture.Width - 1 - (IsWide ? LegendWidth : LegendWidth - Partial.Length - 12);
        string name = IsChain && entry.FilePath is not null ? "  " + Fit(DisplayText.FileName(entry.FilePath), room) : "";
        return $"  {sign} {kind}{partial}{new string(' ', padding)}{DisplayText.Size(entry.Bytes),9}{share}{name}";
    }

    private string Colored(Qcow2PictureRow row)
    {
        if (!hasColors)
        {
            return row.Signs;
        }

        var text = new StringBuilder();
        for (int start = 0, end; start < row.Signs.Length; start = end)
        {
            int? depth = DepthOf(row, row.Signs[start]);
            end = start + 1;
            while (end < row.Signs.Length && DepthOf(row, row.Signs[end]) == depth)
            {
                end++;
            }

            text.Append(Colored(row.Signs.Substring(start, end - start), depth));
        }

        return text.ToString();
    }

    private static int? DepthOf(Qcow2PictureRow row, char sign) => PictureSigns.DepthOf(sign) is int depth ? row.Depth ?? depth : null;

    private string Colored(string signs, int? depth)
        => hasColors ? (depth is int layer ? LayerColors[layer % LayerColors.Length] : Faint) + signs + Reset : signs;
}
