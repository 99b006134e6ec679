using System.Buffers.Binary;

namespace Qcow2.Engine.Format;

/// <summary>Where the bitmap directory lies (spec: "Bitmaps extension").</summary>
public sealed class BitmapsExtension : HeaderExtension
{
    /// <summary>Size of the extension's data, in bytes.</summary>
    public const int DataLength = 24;

    /// <summary>Creates the extension.</summary>
    /// <param name="bitmapCount">Number of bitmaps; at least 1.</param>
    /// <param name="directorySize">Size of the directory, in bytes.</param>
    /// <param name="directoryOffset">Host offset of the directory; cluster-aligned.</param>
    public BitmapsExtension(int bitmapCount, long directorySize, long directoryOffset)
        : this(Encode(bitmapCount, directorySize, directoryOffset), null)
    {
    }

    internal BitmapsExtension(byte[] data, byte[]? padding)
        : base(HeaderExtensionType.Bitmaps, data, padding)
    {
        if (data.Length != DataLength)
        {
            Fault = Qcow2Errors.Corrupt($"The bitmaps extension has {data.Length} bytes of data; it must have {DataLength}.");
            return;
        }

        BitmapCount = BinaryPrimitives.ReadUInt32BigEndian(data);
        DirectorySize = BinaryPrimitives.ReadUInt64BigEndian(data.AsSpan(8));
        DirectoryOffset = BinaryPrimitives.ReadUInt64BigEndian(data.AsSpan(16));
    }

    /// <summary>Number of bitmaps (<c>nb_bitmaps</c>).</summary>
    public uint BitmapCount { get; }

    /// <summary>Size of the bitmap directory, in bytes.</summary>
    public ulong DirectorySize { get; }

    /// <summary>Host offset of the bitmap directory, in bytes.</summary>
    public ulong DirectoryOffset { get; }

    /// <summary>Checks the fields, which matters only while the autoclear bit says that they are current.</summary>
    /// <exception cref="Qcow2Exception">A field breaks the specification or a limit.</exception>
    internal void Validate(ClusterGeometry geometry)
    {
        EnsureSound();
        uint reserved = BinaryPrimitives.ReadUInt32BigEndian(Bytes.Slice(4));
        if (reserved != 0)
        {
            throw Qcow2Errors.Corrupt($"The bitmaps extension's reserved field is 0x{reserved:x8}; it must be 0.");
        }

        if (BitmapCount == 0)
        {
            throw Qcow2Errors.Corrupt("nb_bitmaps of the bitmaps extension is 0; it must be at least 1.");
        }

        if (BitmapCount > Qcow2Limits.MaxBitmaps)
        {
            throw Qcow2Errors.Limit("nb_bitmaps of the bitmaps extension", BitmapCount, Qcow2Limits.MaxBitmaps);
        }

        if (DirectorySize > (ulong)Qcow2Limits.MaxBitmapDirectoryBytes)
        {
            throw Qcow2Errors.Limit("bitmap_directory_size", DirectorySize, (ulong)Qcow2Limits.MaxBitmapDirectoryBytes, "bytes");
        }

        if (DirectoryOffset >= (ulong)Qcow2Limits.HostOffsetEnd)
        {
            throw Qcow2Errors.Limit("bitmap_directory_offset", DirectoryOffset, (ulong)Qcow2Limits.HostOffsetEnd);
        }

        if (!geometry.IsClusterAligned((long)DirectoryOffset))
        {
            throw Qcow2Errors.Misaligned("bitmap_directory_offset", DirectoryOffset, geometry.ClusterSize);
        }
    }

    private static byte[] Encode(int bitmapCount, long directorySize, long directoryOffset)
    {
        byte[] data = new byte[DataLength];
        BinaryPrimitives.WriteInt32BigEndian(data, bitmapCount);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(8), directorySize);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(16), directoryOffset);
        return data;
    }
}
