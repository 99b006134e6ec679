using System.Globalization;
using System.Text;

namespace Qcow2.Engine.Errors;

/// <summary>Names from files, in messages.</summary>
internal static class PrintableText
{
    /// <summary>For messages: control characters of a hostile name must not reach a terminal.</summary>
    internal static string Of(string text)
    {
        StringBuilder? escaped = null;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
            {
                escaped ??= new StringBuilder(text, 0, i, text.Length + 8);
                escaped.Append("\\x").Append(((int)text[i]).ToString("x2", CultureInfo.InvariantCulture));
            }
            else
            {
                escaped?.Append(text[i]);
            }
        }

        return escaped?.ToString() ?? text;
    }
}
