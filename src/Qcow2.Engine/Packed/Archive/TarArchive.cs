using System.Text;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Archive;

/// <summary>Reads what files a tar archive has (POSIX ustar and pax, GNU's names and numbers). Nothing is ever written by their names.</summary>
internal static class TarArchive
{
    private const int BlockBytes = 512;
    private const int NameBytes = 100;
    private const int MostEntries = 10_000;

    /// <summary>The longest text of a name or of a header of pax.</summary>
    private const long MostTextBytes = 1 << 20;

    /// <summary>Lists the files.</summary>
    /// <param name="storage">The archive.</param>
    /// <exception cref="Qcow2Exception">The archive is cut off or damaged.</exception>
    internal static IReadOnlyList<TarEntry> Read(BlockStorage storage)
    {
        var entries = new List<TarEntry>();
        byte[] header = new byte[BlockBytes];
        long length = storage.Length;
        long position = 0;
        string? nextName = null;
        long? nextSize = null;
        bool isSparse = false;
        for (int count = 0; ; count++)
        {
            if (position == length && count > 0)
            {
                return entries; // Some programs write no end mark. Whether a file is missing says the OVF.
            }

            if (position > length - BlockBytes)
            {
                throw PackedErrors.CutOff(storage.Path, length);
            }

            storage.ReadExactly(position, header);
            if (SpanSearch.IsAllZero(header))
            {
                return entries;
            }

            if (count == MostEntries)
            {
                throw Qcow2Errors.Limit("The number of files in the archive", MostEntries + 1, MostEntries).At(storage.Path);
            }

            if (!HasSum(header) || Number(header.AsSpan(124, 12)) is not long size)
            {
                throw Damaged(storage, position);
            }

            long start = position + BlockBytes;
            char type = (char)header[156];
            bool isHeader = type is 'L' or 'K' or 'x' or 'g';
            if (!isHeader && nextSize is long said)
            {
                size = said;
            }

            // A link or a folder has no bytes, whatever size it has.
            long stored = type is '1' or '2' or '3' or '4' or '5' or '6' ? 0 : size;
            if (stored > length - start)
            {
                throw PackedErrors.CutOff(storage.Path, length);
            }

            position = start + ((stored + BlockBytes - 1) & -BlockBytes);
            switch (type)
            {
                case 'L':
                    nextName = Text(ReadText(storage, start, size));
                    continue;
                case 'K' or 'g':
                    continue;
                case 'x':
                    ReadPax(storage, start, ReadText(storage, start, size), ref nextName, ref nextSize, ref isSparse);
                    continue;
                case '\0' or '0' or '7':
                    entries.Add(new TarEntry(nextName ?? NameOf(header), start, size, isSparse ? "it is stored with holes (GNU sparse), which is not known here." : null));
                    break;
                case 'S':
                    entries.Add(new TarEntry(nextName ?? NameOf(header), start, size, "it is stored with holes (GNU sparse), which is not known here."));

                    // Behind the header there may be more of it, whose blocks are not counted.
                    for (bool more = header[482] != 0; more; more = header[504] != 0)
                    {
                        if (start > length - BlockBytes)
                        {
                            throw PackedErrors.CutOff(storage.Path, length);
                        }

                        storage.ReadExactly(start, header);
                        start += BlockBytes;
                        position += BlockBytes;
                    }

                    break;
                case 'M':
                    throw PackedErrors.Unsupported(storage.Path, "The archive is one of several volumes (GNU tar -M), which is not known here.");
            }

            nextName = null;
            nextSize = null;
            isSparse = false;
        }
    }

    /// <summary>The sum of the header's bytes, with blanks in place of itself.</summary>
    private static bool HasSum(ReadOnlySpan<byte> header)
    {
        int sum = 8 * ' ';
        for (int i = 0; i < BlockBytes; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : header[i];
        }

        return Number(header.Slice(148, 8)) == sum;
    }

    /// <summary>A number in octal digits, or in GNU's way for large ones with the highest bit set and the bytes as they are.</summary>
    /// <returns>Null if it is none, or less than 0.</returns>
    private static long? Number(ReadOnlySpan<byte> field)
    {
        long value = 0;
        if ((field[0] & 0x80) != 0)
        {
            if (field[0] != 0x80)
            {
                return null;
            }

            foreach (byte part in field.Slice(1))
            {
                if (value > long.MaxValue >> 8)
                {
                    return null;
                }

                value = (value << 8) | part;
            }

            return value;
        }

        bool hasDigits = false;
        foreach (byte digit in field)
        {
            if (digit is (byte)' ' or 0)
            {
                if (hasDigits)
                {
                    break;
                }

                continue;
            }

            if (digit is < (byte)'0' or > (byte)'7')
            {
                return null;
            }

            hasDigits = true;
            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    private static string NameOf(ReadOnlySpan<byte> header)
    {
        string name = Text(header.Slice(0, NameBytes));
        bool isPosix = header.Slice(257, 6).SequenceEqual("ustar\0"u8);
        string prefix = isPosix ? Text(header.Slice(345, 155)) : "";
        return prefix.Length > 0 ? $"{prefix}/{name}" : name;
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString((end < 0 ? bytes : bytes.Slice(0, end)).ToArray());
    }

    private static byte[] ReadText(BlockStorage storage, long offset, long size)
    {
        if (size > MostTextBytes)
        {
            throw Qcow2Errors.Limit("The length of a header in the archive", (ulong)size, MostTextBytes, "bytes").At(storage.Path);
        }

        byte[] text = new byte[(int)size];
        storage.ReadExactly(offset, text);
        return text;
    }

    /// <summary>Records of pax: how long one is, a blank, a name, an equals sign, a value, a line's end.</summary>
    private static void ReadPax(BlockStorage storage, long offset, ReadOnlySpan<byte> text, ref string? name, ref long? size, ref bool isSparse)
    {
        while (!text.IsEmpty)
        {
            int blank = text.IndexOf((byte)' ');
            int length = 0;
            for (int i = 0; i < blank && length <= text.Length; i++)
            {
                length = text[i] is >= (byte)'0' and <= (byte)'9' ? (length * 10) + text[i] - '0' : int.MaxValue / 16;
            }

            if (blank <= 0 || length <= blank + 1 || length > text.Length || text[length - 1] != '\n')
            {
                throw Damaged(storage, offset);
            }

            ReadOnlySpan<byte> record = text.Slice(blank + 1, length - blank - 2);
            text = text.Slice(length);
            int equals = record.IndexOf((byte)'=');
            if (equals <= 0)
            {
                throw Damaged(storage, offset);
            }

            string key = Text(record.Slice(0, equals));
            string value = Text(record.Slice(equals + 1));
            if (key == "path")
            {
                name = value;
            }
            else if (key == "size")
            {
                size = long.TryParse(value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long parsed) ? parsed : throw Damaged(storage, offset);
            }
            else if (key.StartsWith("GNU.sparse.", StringComparison.Ordinal))
            {
                isSparse = true;
            }
        }
    }

    private static Qcow2Exception Damaged(BlockStorage storage, long offset) => PackedErrors.Damaged(storage.Path, offset, "this is no header of tar.");
}
