using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>What the header of a hosted sparse extent says beyond its layout.</summary>
/// <param name="Bytes">The header.</param>
/// <param name="HasRedundantDirectory">Whether there is a copy of the grain directory.</param>
/// <param name="RedundantSector">Where that lies, in sectors.</param>
/// <param name="IsDirectoryAtEnd">Whether a footer says where the directory lies.</param>
/// <param name="IsUnclean">Whether it was not closed.</param>
internal sealed record VmdkHostedHeader(byte[] Bytes, bool HasRedundantDirectory, ulong RedundantSector, bool IsDirectoryAtEnd, bool IsUnclean)
{
    /// <summary>Where in the header the two directories are named; the footer may say something else.</summary>
    internal const int DirectoriesPosition = 48;

    /// <inheritdoc cref="DirectoriesPosition"/>
    internal const int DirectoriesEnd = 64;

    internal static VmdkHostedHeader Read(BlockStorage file)
    {
        byte[] bytes = new byte[VmdkLimits.SectorSize];
        file.ReadZeroPadded(0, bytes);
        return new VmdkHostedHeader(
            bytes,
            (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)) & 2) != 0,
            BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(DirectoriesPosition)),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(56)) == VmdkSparseLayout.AtEnd,
            bytes[72] != 0);
    }
}
