using System.Security.Cryptography;

namespace Qcow2.Engine.Http;

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

        byte[] value = new byte[digits.Length / 2];
        for (int i = 0; i < value.Length; i++)
        {
            value[i] = (byte)((Digit(digits[2 * i]) << 4) | Digit(digits[(2 * i) + 1]));
        }

        return new ExpectedHash(algorithm, value);
    }

    /// <summary>The hash with the name of its algorithm: <c>sha256:…</c>.</summary>
    public override string ToString() => Text(_value);

    internal HashMeter Begin() => new(this, IncrementalHash.CreateHash(_algorithm));

    /// <exception cref="Qcow2Exception">It is another one.</exception>
    internal void Require(byte[] found)
    {
        if (!found.AsSpan().SequenceEqual(_value))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.HashMismatch, $"The file is not the one that is meant: {this} was expected, and it has {Text(found)}. It was damaged on its way, or is another one by now. Nothing of it was used.");
        }
    }

    private string Text(byte[] value) => $"{(_algorithm == HashAlgorithmName.SHA256 ? "sha256" : "sha512")}:{string.Concat(value.Select(one => one.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)))}";

    private static int Digit(char c) => c switch
    {
        >= '0' and <= '9' => c - '0',
        >= 'a' and <= 'f' => c - 'a' + 10,
        >= 'A' and <= 'F' => c - 'A' + 10,
        _ => throw new FormatException($"A hash has hexadecimal digits only, and '{Errors.PrintableText.Of(c.ToString())}' is none."),
    };
}

/// <summary>A hash in the making.</summary>
internal sealed class HashMeter(ExpectedHash expected, IncrementalHash hash) : IDisposable
{
    internal void Add(byte[] bytes, int count) => hash.AppendData(bytes, 0, count);

    /// <exception cref="Qcow2Exception">It is another one than was expected.</exception>
    internal void Require() => expected.Require(hash.GetHashAndReset());

    public void Dispose() => hash.Dispose();
}
