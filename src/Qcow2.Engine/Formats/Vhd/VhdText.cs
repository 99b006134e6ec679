using System.Globalization;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Text out of a VHD.</summary>
internal static class VhdText
{
    /// <summary>Four characters in a number, without trailing blanks and zeros: <c>win</c>. What is not ASCII is shown as the number.</summary>
    internal static string Code(uint code)
    {
        char[] letters = [(char)(code >> 24), (char)((code >> 16) & 0xff), (char)((code >> 8) & 0xff), (char)(code & 0xff)];
        string text = new string(letters).TrimEnd('\0', ' ');
        return text.All(letter => letter is >= ' ' and <= '~') ? text : "0x" + code.ToString("x8", CultureInfo.InvariantCulture);
    }

    /// <summary>A version, 16 bits each of major and minor: <c>10.0</c>.</summary>
    internal static string Version(uint version) => FormattableString.Invariant($"{version >> 16}.{version & 0xffff}");

    /// <summary>Text as far as it goes before a zero.</summary>
    internal static string UpToNull(string text)
    {
        int end = text.IndexOf('\0');
        return end < 0 ? text : text.Substring(0, end);
    }
}
