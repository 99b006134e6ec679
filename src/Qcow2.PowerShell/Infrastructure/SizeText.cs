using System.Globalization;
using System.Text.RegularExpressions;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A number of bytes as text: a number and perhaps a binary unit.</summary>
/// <param name="Number">What stands before the unit.</param>
/// <param name="Unit">The unit as it was typed; empty for none.</param>
/// <param name="Power">The unit as a power of 1,024.</param>
internal sealed record SizeText(string Number, string Unit, int Power)
{
    private const string Units = "KMGTPE";

    /// <summary>What people put between thousands or before a fraction, in one country or another.</summary>
    private const string Separators = @"[.,'’_\s\u066b\u066c]";

    private static readonly Regex Grouped = new($"^[1-9][0-9]{{0,2}}({Separators}[0-9]{{3}})+$", RegexOptions.CultureInvariant);
    private static readonly Regex GroupedWithFraction = new($"^[1-9][0-9]{{0,2}}(?<s>{Separators})[0-9]{{3}}(\\k<s>[0-9]{{3}})*[.,\u066b][0-9]+$", RegexOptions.CultureInvariant);
    private static readonly Regex Comma = new("^[0-9]+[,\u066b][0-9]+$", RegexOptions.CultureInvariant);

    /// <summary>Takes a text apart.</summary>
    /// <returns>Null if its unit is none.</returns>
    internal static SizeText? Split(string text)
    {
        string number = text;
        bool hasByte = EndsWith(number, 'B');
        number = hasByte ? number.Substring(0, number.Length - 1) : number;
        bool hasInfix = hasByte && EndsWith(number, 'I');
        number = hasInfix ? number.Substring(0, number.Length - 1) : number;
        int power = number.Length == 0 ? 0 : Units.IndexOf(char.ToUpperInvariant(number[number.Length - 1])) + 1;
        if (hasInfix && power == 0)
        {
            return null;
        }

        number = power > 0 ? number.Substring(0, number.Length - 1) : number;
        return new SizeText(number.TrimEnd(), text.Substring(number.Length), power);
    }

    /// <summary>What to type instead of a number that is not written as scripts write numbers; null if nothing is wrong with that, or everything.</summary>
    /// <param name="isDisk">Whether it is a disk's size, which wants a unit.</param>
    internal string? Advice(bool isDisk)
    {
        string number = WithPlainDigits();
        if (Grouped.IsMatch(number))
        {
            string whole = string.Concat(number.Where(char.IsDigit));
            return Unit.Length > 0 && Fraction(number) is string fraction ? $"{whole}{Unit} or {fraction}{Unit}"
                : Unit.Length > 0 ? whole + Unit
                : isDisk ? $"{whole}GB or {whole}MB, or {whole}B for that many bytes"
                : whole;
        }

        if (GroupedWithFraction.IsMatch(number) || Comma.IsMatch(number))
        {
            int point = number.LastIndexOfAny(['.', ',', '\u066b']);
            string plain = $"{string.Concat(number.Take(point).Where(char.IsDigit))}.{number.Substring(point + 1)}";
            return plain + (Unit.Length > 0 ? Unit : "GB");
        }

        return number == Number ? null : number + (Unit.Length > 0 || !isDisk ? Unit : "GB");
    }

    /// <summary>The number with one separator as a fraction, in a form that cannot be taken for thousands.</summary>
    private static string? Fraction(string number)
    {
        int point = number.IndexOfAny(['.', ',']);
        if (point < 0 || number.Length != point + 4)
        {
            return null;
        }

        string fraction = number.Substring(point + 1).TrimEnd('0');
        return fraction.Length == 0 ? number.Substring(0, point) : $"{number.Substring(0, point)}.{fraction}{(fraction.Length == 3 ? "0" : "")}";
    }

    /// <summary>Digits of other scripts, such as Arabic ones, as the digits that scripts are written with.</summary>
    private string WithPlainDigits() => string.Concat(Number.Select(letter
        => letter > '9' && CharUnicodeInfo.GetDecimalDigitValue(letter) is >= 0 and int digit ? (char)('0' + digit) : letter));

    private static bool EndsWith(string text, char letter)
        => text.Length > 0 && char.ToUpperInvariant(text[text.Length - 1]) == letter;
}
