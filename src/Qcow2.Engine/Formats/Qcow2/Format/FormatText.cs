using System.Text;

namespace Qcow2.Engine.Formats.Qcow2.Format;

/// <summary>Strings in an image: UTF-8 by custom, any bytes in fact, never NUL-terminated.</summary>
internal static class FormatText
{
    internal static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return "";
        }

#if NET
        return Encoding.UTF8.GetString(bytes);
#else
        return Encoding.UTF8.GetString(bytes.ToArray());
#endif
    }

    internal static byte[] Encode(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>For messages: control characters of a hostile name must not reach a terminal.</summary>
    internal static string Printable(string text)
    {
        StringBuilder? escaped = null;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
            {
                escaped ??= new StringBuilder(text, 0, i, text.Length + 8);
                escaped.Append("\\x").Append(((int)text[i]).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
            }
            else
            {
                escaped?.Append(text[i]);
            }
        }

        return escaped?.ToString() ?? text;
    }
}
