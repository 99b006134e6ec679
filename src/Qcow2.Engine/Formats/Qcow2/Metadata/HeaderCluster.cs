using System.Buffers;
using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>Reads the header from a file.</summary>
internal static class HeaderCluster
{
    private const int DefaultRefcountOrder = 4;
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

    /// <summary>Reads a header also where fields are damaged that only writers need: those are taken as if nothing were there.</summary>
    /// <exception cref="Qcow2Exception">There is none, or the disk cannot be found by it.</exception>
    internal static Qcow2Header LoadForSalvage(BlockStorage storage)
    {
        try
        {
            return Load(storage);
        }
        catch (Qcow2Exception e) when (e.Code is Qcow2ErrorCode.ImageCorrupt or Qcow2ErrorCode.LimitExceeded && storage.Length >= Qcow2Header.Version2Length)
        {
            byte[] start = new byte[(int)Math.Min(storage.Length, 1L << Qcow2Limits.MaxClusterBits)];
            storage.ReadZeroPadded(0, start);
            Span<byte> header = start.AsSpan(0, Math.Min(start.Length, ClusterSizeOf(start)));
            header.Slice(HeaderField.RefcountTableOffset, sizeof(ulong)).Clear();
            BinaryPrimitives.WriteInt32BigEndian(header.Slice(HeaderField.RefcountTableClusters), 1);
            header.Slice(HeaderField.SnapshotCount, sizeof(uint) + sizeof(ulong)).Clear();
            if (BinaryPrimitives.ReadInt32BigEndian(header.Slice(HeaderField.Version)) >= 3)
            {
                BinaryPrimitives.WriteInt32BigEndian(header.Slice(HeaderField.RefcountOrder), DefaultRefcountOrder);
            }

            return ParseOrRethrow(header, e);
        }
    }

    private static Qcow2Header ParseOrRethrow(ReadOnlySpan<byte> header, Qcow2Exception first)
    {
        try
        {
            return Qcow2Header.Parse(header);
        }
        catch (Qcow2Exception)
        {
            throw new Qcow2Exception(first.Code, first.Message);
        }
    }

    /// <summary>The cluster size that the bytes claim; where the claim is nonsense, parsing them will say so.</summary>
    private static int ClusterSizeOf(ReadOnlySpan<byte> start)
    {
        if (start.Length < Qcow2Header.Version2Length)
        {
            return FirstRead;
        }

        uint bits = BinaryPrimitives.ReadUInt32BigEndian(start.Slice(HeaderField.ClusterBits));
        return bits is >= Qcow2Limits.MinClusterBits and <= Qcow2Limits.MaxClusterBits ? 1 << (int)bits : FirstRead;
    }
}
