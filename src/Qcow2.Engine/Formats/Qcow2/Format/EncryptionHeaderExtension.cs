using System.Buffers.Binary;

namespace Qcow2.Engine.Format;

/// <summary>Where the LUKS header lies (spec: "Full disk encryption header pointer").</summary>
public sealed class EncryptionHeaderExtension : HeaderExtension
{
    /// <summary>Size of the extension's data, in bytes.</summary>
    public const int DataLength = 16;

    /// <summary>What is wrong with an image that needs the extension and has none.</summary>
    internal const string Missing = "crypt_method is 2 (LUKS), but there is no header extension that says where the LUKS header lies.";

    /// <summary>Creates the extension.</summary>
    /// <param name="offset">Host offset of the encryption header; cluster-aligned.</param>
    /// <param name="length">Length of the encryption header, in bytes.</param>
    public EncryptionHeaderExtension(long offset, long length)
        : this(Encode(offset, length), null)
    {
    }

    internal EncryptionHeaderExtension(byte[] data, byte[]? padding)
        : base(HeaderExtensionType.EncryptionHeader, data, padding)
    {
        if (data.Length != DataLength)
        {
            Fault = Qcow2Errors.Corrupt($"The encryption header extension has {data.Length} bytes of data; it must have {DataLength}.");
            return;
        }

        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(data);
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(data.AsSpan(8));
        if (offset >= (ulong)Qcow2Limits.HostOffsetEnd)
        {
            Fault = Qcow2Errors.Limit("The encryption header's offset", offset, (ulong)Qcow2Limits.HostOffsetEnd);
        }

        if (length >= (ulong)Qcow2Limits.HostOffsetEnd)
        {
            Fault = Qcow2Errors.Limit("The encryption header's length", length, (ulong)Qcow2Limits.HostOffsetEnd, "bytes");
        }

        if (Fault is null)
        {
            Offset = (long)offset;
            HeaderLength = (long)length;
        }
    }

    /// <summary>Host offset of the encryption header, in bytes.</summary>
    public long Offset { get; }

    /// <summary>Length of the encryption header, key material included, in bytes.</summary>
    public long HeaderLength { get; }

    private static byte[] Encode(long offset, long length)
    {
        byte[] data = new byte[DataLength];
        BinaryPrimitives.WriteInt64BigEndian(data, offset);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(8), length);
        return data;
    }
}
