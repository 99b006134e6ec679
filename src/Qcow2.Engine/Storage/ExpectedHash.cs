using System.Globalization;
using System.Security.Cryptography;

namespace Qcow2.Engine.Storage;

/// <summary>The hash that a file must have, as whoever publishes it says it.</summary>
public sealed class ExpectedHash
{
    private readonly HashAlgorithmName _algorithm;
    private readonly byte[] _value;

    private ExpectedHash(HashAlgorithmName algorithm, byte[] value)
    {
        _algorithm = algorithm;
        _value = value;
    }

    /// <summary>Reads a hash: hexadecimal digits, 64 of them for SHA-256 and 128 for SHA-512, with or without <c>sha256:</c> or <c>sha512:</c> before them.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="FormatException">It is none.</exception>
    public static ExpectedHash Parse(string text)
    {
        string digits = text.Trim();
        int colon = digits.IndexOf(':');
        string? named = colon < 0 ? null : digits.Substring(0, colon).Replace("-", "").ToUpperInvariant();
        digits = digits.Substring(colon + 1).Trim();
        HashAlgorithmName algorithm = digits.Length switch
        {
            64 => HashAlgorithmName.SHA256,
            128 => HashAlgorithmName.SHA512,
            _ => throw new FormatException($"A hash is 64 hexadecimal digits for SHA-256 or 128 for SHA-512; these are {digits.Length} characters."),
        };
        if (named is not null && named != algorithm.Name)
        {
            throw new FormatException($"'{Errors.PrintableText.Of(text.Substring(0, colon))}' does not go with {digits.Length} hexadecimal digits: sha256 has 64, sha512 has 128.");
        }

        return new ExpectedHash(algorithm, ValueOf(digits) ?? throw new FormatException($"A hash has hexadecimal digits only, and '{Errors.PrintableText.Of(digits.First(c => Digit(c) < 0).ToString())}' is none."));
    }

    /// <summary>The hash with the name of its algorithm: <c>sha256:…</c>.</summary>
    public override string ToString() => Text(_value);

    /// <summary>Reads the hash of an algorithm that is known by another word than the number of its digits.</summary>
    /// <param name="algorithm">The algorithm.</param>
    /// <param name="length">Bytes of its hashes.</param>
    /// <param name="digits">The digits.</param>
    /// <returns>Null if these are not the digits of one.</returns>
    internal static ExpectedHash? TryParse(HashAlgorithmName algorithm, int length, string digits)
        => digits.Length == 2 * length && ValueOf(digits) is byte[] value ? new ExpectedHash(algorithm, value) : null;

    internal HashMeter Begin() => new(this, IncrementalHash.CreateHash(_algorithm));

    /// <summary>A hash of the same algorithm, written the same way.</summary>
    internal string Text(byte[] value) => $"{_algorithm.Name!.ToLowerInvariant()}:{string.Concat(value.Select(one => one.ToString("x2", CultureInfo.InvariantCulture)))}";

    internal bool IsMetBy(byte[] found) => found.AsSpan().SequenceEqual(_value);

    /// <returns>Null where something is no hexadecimal digit.</returns>
    private static byte[]? ValueOf(string digits)
    {
        byte[] value = new byte[digits.Length / 2];
        for (int i = 0; i < value.Length; i++)
        {
            (int high, int low) = (Digit(digits[2 * i]), Digit(digits[(2 * i) + 1]));
            if (high < 0 || low < 0)
            {
                return null;
            }

            value[i] = (byte)((high << 4) | low);
        }

        return value;
    }

    private static int Digit(char c) => c switch
    {
        >= '0' and <= '9' => c - '0',
        >= 'a' and <= 'f' => c - 'a' + 10,
        >= 'A' and <= 'F' => c - 'A' + 10,
        _ => -1,
    };
}
