using System.Globalization;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Reads a number of bytes as people and QEMU write it. Units are binary: K is 1,024.</summary>
internal static class ByteSize
{
    private const string Units = "KMGTPE";
    private const string Expected = "write a number of bytes such as 65536 or 0x10000, or one with a binary unit such as 64K, 64KB, 64KiB, 1.5G or 2TB";

    /// <summary>Reads a number or a text.</summary>
    /// <exception cref="FormatException">It is no size; the message says what one looks like.</exception>
    internal static long Parse(object value) => value switch
    {
        string text => ParseText(text.Trim()),
        sbyte or byte or short or ushort or int or uint or long or ulong or float or double or decimal
            => Whole(value, () => Convert.ToDecimal(value, CultureInfo.InvariantCulture)),
        _ => throw Malformed(value),
    };

    private static long ParseText(string text)
    {
        if (text.Length > 0 && text[0] == '+')
        {
            // To qemu-img resize that is how much to add. Taken as the size itself, it would be another disk than was meant.
            throw new FormatException($"'{text}' has a sign; a size is the whole of it, not what is added. Write {text.Substring(1)} if that is meant.");
        }

        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            return Whole(text, () => Hexadecimal(text));
        }

        (string digits, int power) = SplitUnit(text);
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign;
        return decimal.TryParse(digits, Style, CultureInfo.InvariantCulture, out decimal factor)
            ? Whole(text, () => factor * (1L << (10 * power)))
            : throw Malformed(text);
    }

    private static decimal Hexadecimal(string text)
    {
        try
        {
            return Convert.ToUInt64(text, 16);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw Malformed(text);
        }
    }

    private static (string Digits, int Power) SplitUnit(string text)
    {
        string number = text;
        bool hasByte = EndsWith(number, 'B');
        number = hasByte ? number.Substring(0, number.Length - 1) : number;
        bool hasInfix = hasByte && EndsWith(number, 'I');
        number = hasInfix ? number.Substring(0, number.Length - 1) : number;
        int power = number.Length == 0 ? 0 : Units.IndexOf(char.ToUpperInvariant(number[number.Length - 1])) + 1;
        if (hasInfix && power == 0)
        {
            throw Malformed(text);
        }

        return ((power > 0 ? number.Substring(0, number.Length - 1) : number).TrimEnd(), power);
    }

    private static bool EndsWith(string text, char letter)
        => text.Length > 0 && char.ToUpperInvariant(text[text.Length - 1]) == letter;

    private static long Whole(object given, Func<decimal> convert)
    {
        decimal bytes;
        try
        {
            bytes = convert();
        }
        catch (OverflowException)
        {
            throw TooLarge(given);
        }

        return bytes < 0 ? throw new FormatException($"'{given}' is negative; a number of bytes is 0 or more.")
            : bytes > long.MaxValue ? throw TooLarge(given)
            : bytes != decimal.Truncate(bytes) ? throw new FormatException($"'{given}' is not a whole number of bytes.")
            : (long)bytes;
    }

    private static FormatException Malformed(object given) => new($"'{given}' is not a size: {Expected}.");

    private static FormatException TooLarge(object given) => new($"'{given}' is too large; the most is {long.MaxValue} bytes (8 EiB less one).");
}
