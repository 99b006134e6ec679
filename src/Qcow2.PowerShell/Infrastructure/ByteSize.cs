using System.Globalization;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Reads a number of bytes as people and QEMU write it. Units are binary: K is 1,024. No culture has a say.</summary>
internal static class ByteSize
{
    /// <summary>Below this size a disk is made of whole sectors, or has its unit said: other numbers are forgotten units. From here on bytes are meant.</summary>
    internal const long SmallDisk = 4096;

    private const int SectorSize = 512;
    private const decimal LeastRounded = 1024;
    private const string Expected = "write a number of bytes such as 65536 or 0x10000, or one with a binary unit such as 64K, 64KB, 64KiB, 1.5G or 2TB";

    /// <summary>Reads a number or a text.</summary>
    /// <exception cref="FormatException">It is no size; the message says what one looks like.</exception>
    internal static long Parse(object value, ByteSizeKind kind = ByteSizeKind.Count) => value switch
    {
        string text => ParseText(text.Trim(), kind),
        sbyte or byte or short or ushort or int or uint or long or ulong or float or double or decimal
            => RequireUnit(Whole(value, () => Exact(value)), value, kind),
        System.Collections.IList { Count: > 1 } list
            => throw new FormatException($"{list.Count} values are not one size: to PowerShell a comma makes a list. Write the number without one, and a fraction with a point."),
        _ => throw Malformed(value),
    };

    private static long ParseText(string text, ByteSizeKind kind)
    {
        if (text.Length > 0 && text[0] == '+')
        {
            // To qemu-img resize that is how much to add. Taken as the size itself, it would be another disk than was meant.
            throw new FormatException($"'{text}' has a sign; a size is the whole of it, not what is added. Write {text.Substring(1)} if that is meant.");
        }

        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            return RequireUnit(Whole(text, () => Hexadecimal(text)), text, kind);
        }

        SizeText size = SizeText.Split(text) ?? throw Malformed(text);
        if (size.Advice(kind != ByteSizeKind.Count) is string advice)
        {
            throw new FormatException(
                $"'{text}' is not written as a script writes numbers: with the digits 0 to 9, a point before a fraction, and nothing between thousands, whatever the culture. Write {advice}.");
        }

        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign;
        if (!decimal.TryParse(size.Number, Style, CultureInfo.InvariantCulture, out decimal factor))
        {
            throw Malformed(text);
        }

        long bytes = Whole(text, () => Rounded(factor * (1L << (10 * size.Power)), size.Power > 0));
        return size.Unit.Length > 0 ? bytes : RequireUnit(bytes, text, kind);
    }

    /// <summary>A fraction of a byte is what a unit leaves of a decimal fraction. It is rounded, as QEMU does.</summary>
    private static decimal Rounded(decimal bytes, bool hasUnit)
        => hasUnit || bytes >= LeastRounded ? decimal.Round(bytes, MidpointRounding.AwayFromZero) : bytes;

    /// <summary>Of a double, <see cref="Convert.ToDecimal(double)"/> keeps 15 digits only.</summary>
    private static decimal Exact(object value) => value is float or double
        ? Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && Math.Abs(number) < -(double)long.MinValue
            ? (long)Math.Truncate(number) + Fraction(number)
            : throw new OverflowException()
        : Rounded(Convert.ToDecimal(value, CultureInfo.InvariantCulture), hasUnit: false);

    private static decimal Fraction(double number)
    {
        decimal fraction = (decimal)(number - Math.Truncate(number));
        return number < (double)LeastRounded ? fraction : decimal.Round(fraction, MidpointRounding.AwayFromZero);
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

        return bytes < 0 ? throw new FormatException($"'{Shown(given)}' is negative; a number of bytes is 0 or more.")
            : bytes > long.MaxValue ? throw TooLarge(given)
            : bytes != decimal.Truncate(bytes) ? throw new FormatException($"'{Shown(given)}' is not a whole number of bytes. Perhaps its unit is missing, as in {Shown(given)}GB.")
            : (long)bytes;
    }

    private static long RequireUnit(long bytes, object given, ByteSizeKind kind)
        => kind == ByteSizeKind.Count || bytes >= SmallDisk || bytes % SectorSize == 0 ? bytes : throw new FormatException(
            $"'{Shown(given)}' has no unit, so that it stands for {bytes} bytes, which is hardly a disk. Write {bytes}GB or {bytes}MB, or {bytes}B if bytes are meant.");

    private static string Shown(object given) => Convert.ToString(given, CultureInfo.InvariantCulture) ?? "";

    private static FormatException Malformed(object given) => new($"'{Shown(given)}' is not a size: {Expected}.");

    private static FormatException TooLarge(object given) => new($"'{Shown(given)}' is too large; the most is {long.MaxValue} bytes (8 EiB less one).");
}
