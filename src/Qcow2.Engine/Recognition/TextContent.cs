namespace Qcow2.Engine;

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

    internal static bool IsPlain(FileContent content) => IsText(content);

    private static bool IsText(FileContent content)
        => content.Length is > 0 and <= LongestPlainText && IsPrintable(content.Head);

    private static bool Begins(FileContent content, ReadOnlySpan<byte> lowerCase) => StartsWithIgnoringCase(Trimmed(content), lowerCase);

    private static ReadOnlySpan<byte> Trimmed(FileContent content)
    {
        ReadOnlySpan<byte> text = content.Head;
        return SkipBlanks(text.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? text.Slice(3) : text);
    }

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
