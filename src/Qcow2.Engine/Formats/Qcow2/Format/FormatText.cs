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
}
