using System.Buffers.Binary;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The header of a sparse extent that is made here, which is the footer of a stream, too.</summary>
internal readonly record struct VmdkNewHeader
{
    internal const int Length = VmdkLimits.SectorSize;

    /// <summary>The directory lies where the footer says.</summary>
    internal const ulong AtEnd = ulong.MaxValue;

    private const uint NewlineTest = 1;

    /// <summary>Version of the format.</summary>
    internal required uint Version { get; init; }

    /// <summary>What holds beyond the test of newlines, which always does.</summary>
    internal required uint Flags { get; init; }

    /// <summary>Bytes of the disk.</summary>
    internal required long Capacity { get; init; }

    /// <summary>Whether a descriptor lies behind the header.</summary>
    internal required bool HasDescriptor { get; init; }

    internal long RedundantDirectorySector { get; init; }

    internal required ulong DirectorySector { get; init; }

    /// <summary>Where the first grain lies.</summary>
    internal required long DataSector { get; init; }

    internal bool IsCompressed { get; init; }

    internal void WriteTo(Span<byte> bytes)
    {
        bytes.Slice(0, Length).Clear();
        "KDMV"u8.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.Slice(4), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.Slice(8), Flags | NewlineTest);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(12), (ulong)(Capacity / VmdkLimits.SectorSize));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(20), (ulong)VmdkNewLayout.GrainSectors);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(28), (ulong)(HasDescriptor ? VmdkNewLayout.DescriptorSector : 0));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(36), (ulong)(HasDescriptor ? VmdkNewLayout.DescriptorSectors : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.Slice(44), VmdkNewLayout.TableEntries);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(48), (ulong)RedundantDirectorySector);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(56), DirectorySector);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(64), (ulong)DataSector);
        "\n \r\n"u8.CopyTo(bytes.Slice(73));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.Slice(77), (ushort)(IsCompressed ? 1 : 0));
    }
}
