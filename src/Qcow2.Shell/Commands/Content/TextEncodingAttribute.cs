using System.Globalization;
using System.Management.Automation;
using System.Text;

namespace Qcow2.Shell.Commands.Content;

/// <summary>Takes an encoding by the names pwsh has for it, by its .NET name or by its code page.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class TextEncodingAttribute : ArgumentTransformationAttribute
{
    /// <summary>UTF-8 without a byte order mark.</summary>
    internal static Encoding Default { get; } = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            Encoding encoding => encoding,
            int codePage => Encoding.GetEncoding(codePage),
            _ => Parse(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""),
        };
    }

    private static Encoding Parse(string name)
    {
        try
        {
            return name.ToUpperInvariant() switch
            {
                "UTF8" or "UTF8NOBOM" or "DEFAULT" => Default,
                "UTF8BOM" => Encoding.UTF8,
                "ASCII" or "OEM" => Encoding.ASCII,
                "ANSI" or "LATIN1" => Encoding.Latin1,
                "UNICODE" => Encoding.Unicode,
                "BIGENDIANUNICODE" => Encoding.BigEndianUnicode,
                "UTF32" => Encoding.UTF32,
                _ => Encoding.GetEncoding(name),
            };
        }
        catch (ArgumentException e)
        {
            throw new ArgumentTransformationMetadataException($"'{name}' is not an encoding; utf8, utf8BOM, ascii, unicode, utf32 are.", e);
        }
    }
}
