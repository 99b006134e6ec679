using System.Buffers.Binary;

namespace Qcow2.Engine.Format;

/// <summary>
/// One header extension (spec: "Header extensions"). The bytes are the truth and are written back as they were read;
/// the derived types give them their meaning.
/// </summary>
public abstract class HeaderExtension
{
    internal const int PrefixLength = 8;

    private readonly byte[] _data;
    private readonly byte[] _padding;

    private protected HeaderExtension(HeaderExtensionType type, byte[] data, byte[]? padding = null)
    {
        Type = type;
        _data = data;
        _padding = padding ?? new byte[PaddingFor(data.Length)];
    }

    /// <summary>The extension's type; a value that the enumeration does not name is an unknown extension.</summary>
    public HeaderExtensionType Type { get; }

    /// <summary>The extension's data, without the padding that follows it.</summary>
    public ReadOnlyMemory<byte> Data => _data;

    /// <summary>Bytes the extension takes in the header: type, length, data and padding.</summary>
    public int TotalLength => PrefixLength + _data.Length + _padding.Length;

    /// <summary>Writes the extension.</summary>
    /// <param name="destination">At least <see cref="TotalLength"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)Type);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(4), (uint)_data.Length);
        _data.CopyTo(destination.Slice(PrefixLength));
        _padding.CopyTo(destination.Slice(PrefixLength + _data.Length));
    }

    /// <summary>Gives the bytes of an extension their meaning.</summary>
    /// <exception cref="Qcow2Exception">A known extension has a shape that the specification does not allow.</exception>
    internal static HeaderExtension Create(HeaderExtensionType type, byte[] data, byte[] padding) => type switch
    {
        HeaderExtensionType.BackingFormat => new BackingFormatExtension(data, padding),
        HeaderExtensionType.FeatureNameTable => new FeatureNameTableExtension(data, padding),
        HeaderExtensionType.Bitmaps => new BitmapsExtension(data, padding),
        HeaderExtensionType.EncryptionHeader => new EncryptionHeaderExtension(data, padding),
        HeaderExtensionType.DataFileName => new DataFileNameExtension(data, padding),
        _ => new UnknownHeaderExtension(type, data, padding),
    };

    internal static int PaddingFor(int dataLength) => -dataLength & 7;
}
