using System.Buffers.Binary;

namespace Qcow2.Engine.Format;

/// <summary>
/// One header extension (spec: "Header extensions"). The bytes are the truth and are written back as they were read;
/// the derived types give them their meaning. What is wrong with one matters to nobody but those who need what it says.
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
    public byte[] Data => [.. _data];

    /// <summary>The extension's data, not copied.</summary>
    internal ReadOnlySpan<byte> Bytes => _data;

    /// <summary>What is wrong with the data; null if nothing is. What the extension says is then of no use.</summary>
    public string? Problem => Fault?.Message;

    /// <summary>What is wrong, as an error; null if nothing is.</summary>
    private protected Qcow2Exception? Fault { get; init; }

    /// <summary>The length that the header states for the data.</summary>
    private protected virtual uint StatedLength => (uint)_data.Length;

    /// <summary>Bytes the extension takes in the header: type, length, data and padding.</summary>
    public int TotalLength => PrefixLength + _data.Length + _padding.Length;

    /// <summary>Writes the extension.</summary>
    /// <param name="destination">At least <see cref="TotalLength"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)Type);
        BinaryPrimitives.WriteUInt32BigEndian(destination.Slice(4), StatedLength);
        _data.CopyTo(destination.Slice(PrefixLength));
        _padding.CopyTo(destination.Slice(PrefixLength + _data.Length));
    }

    /// <summary>Gives the bytes of an extension their meaning.</summary>
    /// <param name="type">The type.</param>
    /// <param name="data">The data, without padding.</param>
    public static HeaderExtension Create(HeaderExtensionType type, byte[] data) => Create(type, data, new byte[PaddingFor(data.Length)]);

    /// <summary>Gives the bytes of an extension their meaning.</summary>
    internal static HeaderExtension Create(HeaderExtensionType type, byte[] data, byte[] padding) => type switch
    {
        HeaderExtensionType.BackingFormat => new BackingFormatExtension(data, padding),
        HeaderExtensionType.FeatureNameTable => new FeatureNameTableExtension(data, padding),
        HeaderExtensionType.Bitmaps => new BitmapsExtension(data, padding),
        HeaderExtensionType.EncryptionHeader => new EncryptionHeaderExtension(data, padding),
        HeaderExtensionType.DataFileName => new DataFileNameExtension(data, padding),
        _ => new UnknownHeaderExtension(type, data, padding),
    };

    /// <summary>Fails if what the extension says is of no use.</summary>
    /// <exception cref="Qcow2Exception">It is not.</exception>
    internal void EnsureSound()
    {
        if (Fault is not null)
        {
            throw new Qcow2Exception(Fault.Code, Fault.Message); // Anew each time: an exception keeps where it was thrown.
        }
    }

    /// <summary>The type and how much it says.</summary>
    public override string ToString() => $"{Type}, {_data.Length} bytes";

    internal static int PaddingFor(int dataLength) => -dataLength & 7;
}
