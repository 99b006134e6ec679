using System.Globalization;
using System.Text;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Reports;

/// <summary>What a report says of names, numbers and times: in English and invariant, whoever makes it and wherever it is read.</summary>
internal static class ReportText
{
    /// <summary>Most characters of one name. Longer ones are cut in their middle, because folders begin alike and types stand at the end.</summary>
    private const int MostCharacters = 240;

    private const int Tail = 80;

    /// <summary>Most characters of a sentence, which may name several files.</summary>
    private const int MostOfReason = 400;

    /// <summary>A text out of an image, or the name of a file: nothing in it hides, moves what stands beside it, or is no character.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">Characters from which on it is cut.</param>
    internal static string Of(string? text, int most = MostCharacters)
    {
        string whole = text ?? "";
        if (whole.Length <= most)
        {
            return Characters(DisplayText.Printable(whole));
        }

        int tail = Math.Min(Tail, most / 2);
        string start = whole.Substring(0, most - tail);
        string end = whole.Substring(whole.Length - tail);
        return Characters(DisplayText.Printable(start)) + " … " + Characters(DisplayText.Printable(end)) + $" ({Number(whole.Length)} characters)";
    }

    /// <summary>What went wrong with a file, without the file's name, which stands beside it.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="path">Full path of the file.</param>
    internal static string Reason(Exception exception, string path) => Reason(exception.Message, path);

    /// <inheritdoc cref="Reason(Exception, string)"/>
    internal static string Reason(string message, string path)
    {
        string prefix = path + ": ";
        string reason = message.StartsWith(prefix, StringComparison.Ordinal) && message.Length > prefix.Length
            ? char.ToUpperInvariant(message[prefix.Length]) + message.Substring(prefix.Length + 1)
            : message;
        return Of(reason, MostOfReason);
    }

    /// <summary>The name of a file without its folder, whichever system's path it is.</summary>
    internal static string FileName(string path)
    {
        string name = path.Substring(NameStart(path));
        return Of(name.Length > 0 ? name : path);
    }

    /// <summary>The folder that a file lies in, whichever system's path it is.</summary>
    internal static string Folder(string path) => Of(path.Substring(0, NameStart(path)) is { Length: > 1 } folder ? folder.Substring(0, folder.Length - 1) : "");

    /// <summary>A number of bytes, in the unit that suits it.</summary>
    internal static string Size(long bytes) => DisplayText.Size(bytes, CultureInfo.InvariantCulture);

    /// <summary>A number of bytes in both ways.</summary>
    internal static string SizeAndBytes(long bytes) => bytes < 1024 ? $"{Number(bytes)} bytes" : $"{Size(bytes)} ({Number(bytes)} bytes)";

    /// <summary>A number, with thousands apart.</summary>
    internal static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number of things: <c>1 image</c>, <c>2 images</c>.</summary>
    internal static string Count(long count, string thing) => $"{Number(count)} {thing}{(count == 1 ? "" : "s")}";

    /// <summary>A share in percent, of which less than a tenth is not nothing; empty where there is nothing to have a share of.</summary>
    internal static string Share(long part, long whole)
    {
        if (whole <= 0)
        {
            return "";
        }

        double percent = 100.0 * part / whole;
        return percent is > 0 and < 0.1 ? "< 0.1 %" : percent.ToString(percent < 10 ? "0.#" : "0", CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>A time for a person, with its distance from UTC.</summary>
    internal static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture);

    /// <summary>A time for programs (ISO 8601).</summary>
    internal static string MachineTime(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);

    /// <summary>A time with its distance from UTC; null where none can be given, of a year that no calendar has.</summary>
    internal static DateTimeOffset? TimeOf(DateTime time)
    {
        try
        {
            return time.Year < 2 ? null : new DateTimeOffset(time);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private static int NameStart(string path) => path.LastIndexOfAny(['/', '\\']) + 1;

    /// <summary>Halves of characters are shown as codes; no encoding has them.</summary>
    private static string Characters(string text)
    {
        StringBuilder? shown = null;
        for (int i = 0, length; i < text.Length; i += length)
        {
            length = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]) ? 2 : 1;
            if (length == 1 && char.IsSurrogate(text[i]))
            {
                shown ??= new StringBuilder(text, 0, i, text.Length + 16);
                shown.Append("\\u").Append(((int)text[i]).ToString("x4", CultureInfo.InvariantCulture));
            }
            else
            {
                shown?.Append(text, i, length);
            }
        }

        return shown?.ToString() ?? text;
    }
}
