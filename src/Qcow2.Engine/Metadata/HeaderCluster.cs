using System.Buffers;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>Reads the header from a file.</summary>
internal static class HeaderCluster
{
    private const int FirstRead = 64 * 1024;

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="Qcow2Exception">There is none, or it breaks the specification or a limit.</exception>
    internal static Qcow2Header Load(BlockStorage storage)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstRead);
        try
        {
            int read = storage.Read(0, buffer.AsSpan(0, FirstRead));
            if (!Qcow2Header.BeginsAt(buffer.AsSpan(0, read)))
            {
                throw FileSignatures.NotQcow2(storage);
            }

            int clusterSize = ClusterSizeOf(buffer.AsSpan(0, read));
            if (clusterSize > FirstRead && read == FirstRead)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(clusterSize);
                read = storage.Read(0, buffer.AsSpan(0, clusterSize));
            }

            return Qcow2Header.Parse(buffer.AsSpan(0, Math.Min(read, clusterSize)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The cluster size that the bytes claim; where the claim is nonsense, parsing them will say so.</summary>
    private static int ClusterSizeOf(ReadOnlySpan<byte> start)
    {
        if (start.Length < Qcow2Header.Version2Length)
        {
            return FirstRead;
        }

        uint bits = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(start.Slice(HeaderField.ClusterBits));
        return bits is >= Qcow2Limits.MinClusterBits and <= Qcow2Limits.MaxClusterBits ? 1 << (int)bits : FirstRead;
    }
}
