using System.Buffers.Binary;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests;

/// <summary>Gives images a size that is no multiple of 512, which this engine does not make any more but reads and writes.</summary>
internal static class OddDisk
{
    /// <summary>Resizes without rounding up.</summary>
    internal static Qcow2Image ResizeExactly(this Qcow2Image image, long size)
    {
        image.Writer.Resize(size, Preallocation.Off, null, default);
        return image;
    }

    internal static void SetSize(string path, long size)
    {
        using LocalFile file = LocalFile.OpenReadWrite(path);
        SetSize(file, size);
    }

    internal static void SetSize(BlockStorage image, long size)
    {
        byte[] field = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(field, size);
        image.Write(HeaderOffset.Size, field);
    }
}
