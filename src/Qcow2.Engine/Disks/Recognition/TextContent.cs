namespace Qcow2.Engine.Disks.Recognition;

/// <summary>Tells text from a disk, and what sort of text it is.</summary>
internal static class TextContent
{
    /// <summary>Text that is longer and no markup is taken for a disk: nobody gets one by mistake.</summary>
    private const int LongestPlainText = 64 * 1024;

    internal static bool IsHtml(FileContent content) => Begins(content, "<!doctype html"u8) || Begins(content, "<html"u8);

    internal static bool IsXml(FileContent content) => Begins(content, "<?xml"u8) || (IsText(content) && Begins(content, "<"u8));

    internal static bool IsJson(FileContent content)
    {
        ReadOnlySpan<byte> text = Trimmed(content);
        if (text.IsEmpty || text[0] is not ((byte)'{' or (byte)'[') || !IsPrintable(text.Slice(0, Math.Min(text.Length, 512))))
        {
            return false;
        }

        ReadOnlySpan<byte> inner = SkipBlanks(text.Slice(1));
        return !inner.IsEmpty && inner[0] is (byte)'"' or (byte)'{' or (byte)'[' or (byte)'}' or (byte)']';
    }

    internal static bool IsLfsPointer(FileContent content) => Begins(content, "version https://git-lfs"u8);

    /// <summary>VMware's text that says where the data of a disk lies. Comments and blank lines may stand before the rest.</summary>
    internal static bool IsVmdkDescriptor(FileContent content)
    {
        ReadOnlySpan<byte> text = Trimmed(content);
        return StartsWithIgnoringCase(text, "# disk descriptorfile"u8)
            || (IsText(content) && text.IndexOf("createType"u8) >= 0 && text.IndexOf("parentCID"u8) >= 0);
    }

    /// <summary>The text in the folder of a disk of Parallels that says which of the files beside it holds what.</summary>
    internal static bool IsParallelsDescriptor(FileContent content)
        => (Begins(content, "<?xml"u8) || Begins(content, "<parallels_disk_image"u8)) && content.Head.IndexOf("<Parallels_disk_image"u8) >= 0;

    internal static bool IsPlain(FileContent content) => IsText(content);

    /// <summary>The start of a header in UTF-16, or in UTF-8 with its fourth byte as another letter or a question mark. No image has that.</summary>
    internal static bool IsMangledQcow2(FileContent content)
    {
        ReadOnlySpan<byte> text = content.Head;
        if (text.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe, 0x51, 0, 0x46, 0, 0x49, 0]) || text.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff, 0, 0x51, 0, 0x46, 0, 0x49]))
        {
            return true;
        }

        text = WithoutMark(text);
        if (text.Length < 12 || !text.StartsWith("QFI"u8))
        {
            return false;
        }

        text = text.Slice(3);
        int letter = text[0] switch { (byte)'?' => 1, >= 0xc2 and < 0xe0 => 2, >= 0xe0 and < 0xf0 => 3, _ => 0 };
        return letter > 0 && text.Slice(letter).StartsWith((ReadOnlySpan<byte>)[0, 0, 0]) && text[letter + 3] is 2 or 3;
    }

    private static bool IsText(FileContent content)
        => content.Length is > 0 and <= LongestPlainText && (IsPrintable(content.Head) || IsUtf16(content.Head));

    /// <summary>Text as Windows PowerShell writes it, after its mark.</summary>
    private static bool IsUtf16(ReadOnlySpan<byte> text)
    {
        bool isBigEndian = text.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff]);
        if (text.Length < 4 || text.Length % 2 != 0 || (!isBigEndian && !text.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe])))
        {
            return false;
        }

        for (int i = 2; i < text.Length; i += 2)
        {
            byte high = text[isBigEndian ? i : i + 1];
            if (high == 0 && !IsPrintable(text.Slice(isBigEndian ? i + 1 : i, 1)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Begins(FileContent content, ReadOnlySpan<byte> lowerCase) => StartsWithIgnoringCase(Trimmed(content), lowerCase);

    private static ReadOnlySpan<byte> Trimmed(FileContent content) => SkipBlanks(WithoutMark(content.Head));

    private static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> text)
        => text.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? text.Slice(3) : text;

    private static ReadOnlySpan<byte> SkipBlanks(ReadOnlySpan<byte> text)
    {
        int start = 0;
        while (start < text.Length && text[start] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            start++;
        }

        return text.Slice(start);
    }

    private static bool StartsWithIgnoringCase(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lowerCase)
    {
        if (text.Length < lowerCase.Length)
        {
            return false;
        }

        for (int i = 0; i < lowerCase.Length; i++)
        {
            byte letter = text[i] is >= (byte)'A' and <= (byte)'Z' ? (byte)(text[i] | 0x20) : text[i];
            if (letter != lowerCase[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>No control characters but those that lay text out. Bytes of 128 and more are some encoding's letters.</summary>
    private static bool IsPrintable(ReadOnlySpan<byte> text)
    {
        foreach (byte letter in text)
        {
            if (letter < 0x20 ? letter is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or 0x0c or 0x1b) : letter == 0x7f)
            {
                return false;
            }
        }

        return true;
    }
}
