using System.Buffers.Binary;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The sectors of a stream that say what comes next (VMware, Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents").</summary>
internal static class VmdkMarker
{
    internal const int Length = VmdkLimits.SectorSize;

    internal const uint End = 0;
    internal const uint GrainTable = 1;
    internal const uint GrainDirectory = 2;
    internal const uint Footer = 3;

    /// <summary>Writes one.</summary>
    /// <param name="bytes">Where to, a sector.</param>
    /// <param name="type">What comes next.</param>
    /// <param name="sectors">Its sectors.</param>
    internal static void Write(Span<byte> bytes, uint type, long sectors)
    {
        bytes.Slice(0, Length).Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.Slice(12), type);
    }
}
