using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Format;

/// <summary>Name of the backing file's format: <c>qcow2</c> or <c>raw</c> (spec: "String header extensions").</summary>
public sealed class BackingFormatExtension : HeaderExtension
{
    /// <summary>Creates the extension.</summary>
    /// <param name="format">The format's name.</param>
    public BackingFormatExtension(string format)
        : this(FormatText.Encode(format), null)
    {
    }

    internal BackingFormatExtension(byte[] data, byte[]? padding)
        : base(HeaderExtensionType.BackingFormat, data, padding)
        => Format = FormatText.Decode(data);

    /// <summary>The format's name.</summary>
    public string Format { get; }
}

/// <summary>Name of the external data file (spec: "String header extensions").</summary>
public sealed class DataFileNameExtension : HeaderExtension
{
    /// <summary>Creates the extension.</summary>
    /// <param name="fileName">The name, relative to the image's folder or absolute.</param>
    public DataFileNameExtension(string fileName)
        : this(FormatText.Encode(fileName), null)
    {
    }

    internal DataFileNameExtension(byte[] data, byte[]? padding)
        : base(HeaderExtensionType.DataFileName, data, padding)
        => FileName = FormatText.Decode(data);

    /// <summary>The name as stored.</summary>
    public string FileName { get; }
}
