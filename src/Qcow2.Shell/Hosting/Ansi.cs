using System.Management.Automation;
using System.Management.Automation.Internal;

namespace Qcow2.Shell.Hosting;

/// <summary>Escape sequences of the terminal.</summary>
internal static class Ansi
{
    internal const string Reset = "\e[0m";
    internal const string Red = "\e[31;1m";
    internal const string Yellow = "\e[33;1m";

    /// <summary>Back to the start of the line, and clear it.</summary>
    internal const string ClearLine = "\r\e[K";

    /// <summary><paramref name="text"/> without escape sequences.</summary>
    internal static string Strip(string text) =>
        IsIn(text) ? new StringDecorated(text).ToString(OutputRendering.PlainText) : text;

    /// <summary>Whether <paramref name="text"/> has escape sequences.</summary>
    internal static bool IsIn(string text) => text.Contains('\e', StringComparison.Ordinal);

    /// <summary><paramref name="text"/> in these colours; a colour outside the 16 is the terminal's own.</summary>
    internal static string Colour(ConsoleColor foreground, ConsoleColor background, string text)
    {
        string start = (Enum.IsDefined(foreground) ? PSStyle.MapForegroundColorToEscapeSequence(foreground) : "")
            + (Enum.IsDefined(background) && background != ConsoleColor.Black ? PSStyle.MapBackgroundColorToEscapeSequence(background) : "");
        return start.Length == 0 ? text : start + text + Reset;
    }
}
