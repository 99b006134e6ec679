using System.Globalization;
using System.Text;

namespace Qcow2.Engine.Partitions;

/// <summary>Labels and ids in superblocks. What is not text becomes U+FFFD; control characters stay, for the one who shows a text makes it harmless.</summary>
internal static class SuperblockText
{
    /// <summary>A label of bytes up to the first zero, without blanks at its end; null for none.</summary>
    internal static string? Utf8(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Trimmed(Encoding.UTF8.GetString((end < 0 ? bytes : bytes.Slice(0, end)).ToArray()));
    }

    /// <summary>A label of UTF-16 in the order of bytes of the PC, up to the first zero; null for none.</summary>
    internal static string? Utf16(ReadOnlySpan<byte> bytes) => UpToZero(Encoding.Unicode.GetString(bytes.ToArray()));

    /// <summary>A label of UTF-16 in the order of bytes of the network.</summary>
    internal static string? Utf16BigEndian(ReadOnlySpan<byte> bytes) => UpToZero(Encoding.BigEndianUnicode.GetString(bytes.ToArray()));

    /// <summary>Sixteen bytes as a UUID, each in its place; null where all are zeros.</summary>
    internal static string? Uuid(ReadOnlySpan<byte> bytes)
    {
        if (SpanSearch.IsAllZero(bytes.Slice(0, 16)))
        {
            return null;
        }

        var text = new StringBuilder(36);
        for (int i = 0; i < 16; i++)
        {
            if (i is 4 or 6 or 8 or 10)
            {
                text.Append('-');
            }

            text.Append(bytes[i].ToString("x2", CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    /// <summary>The serial number of a FAT volume: <c>1A2B-3C4D</c>.</summary>
    internal static string FatSerial(uint serial) => $"{serial >> 16:X4}-{serial & 0xffff:X4}";

    /// <summary>A GUID as Windows stores it and <c>Get-Partition</c> writes it.</summary>
    internal static string Braced(Guid id) => id.ToString("B", CultureInfo.InvariantCulture);

    /// <summary>A size out of two numbers of the disk; null where no disk has that many bytes.</summary>
    internal static long? Product(ulong count, ulong unit)
        => unit == 0 || count > long.MaxValue / unit ? null : (long)(count * unit);

    private static string? UpToZero(string text)
    {
        int end = text.IndexOf('\0');
        return Trimmed(end < 0 ? text : text.Substring(0, end));
    }

    private static string? Trimmed(string text) => text.TrimEnd() is { Length: > 0 } some ? some : null;
}
