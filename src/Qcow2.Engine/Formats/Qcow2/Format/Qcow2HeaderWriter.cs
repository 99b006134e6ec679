using System.Buffers.Binary;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Format;

/// <summary>A <see cref="Qcow2Header"/> into bytes; what was read is written back bit for bit.</summary>
internal static class Qcow2HeaderWriter
{
    internal static void Write(Qcow2Header header, Span<byte> cluster)
    {
        ReadOnlySpan<byte> backingFile = header.BackingFileBytes.Span;

        U32(cluster, HeaderField.Magic, Qcow2Header.Magic);
        U32(cluster, HeaderField.Version, (uint)header.Version);
        U64(cluster, HeaderField.BackingFileOffset, (ulong)header.BackingFileOffset);
        U32(cluster, HeaderField.BackingFileSize, header.BackingFileSize);
        U32(cluster, HeaderField.ClusterBits, (uint)header.ClusterBits);
        U64(cluster, HeaderField.Size, (ulong)header.Size);
        U32(cluster, HeaderField.CryptMethod, (uint)header.EncryptionMethod);
        U32(cluster, HeaderField.L1Size, (uint)header.L1Size);
        U64(cluster, HeaderField.L1TableOffset, (ulong)header.L1TableOffset);
        U64(cluster, HeaderField.RefcountTableOffset, (ulong)header.RefcountTableOffset);
        U32(cluster, HeaderField.RefcountTableClusters, (uint)header.RefcountTableClusters);
        U32(cluster, HeaderField.SnapshotCount, (uint)header.SnapshotCount);
        U64(cluster, HeaderField.SnapshotsOffset, (ulong)header.SnapshotsOffset);

        if (header.Version >= 3)
        {
            U64(cluster, HeaderField.IncompatibleFeatures, (ulong)header.IncompatibleFeatures);
            U64(cluster, HeaderField.CompatibleFeatures, (ulong)header.CompatibleFeatures);
            U64(cluster, HeaderField.AutoclearFeatures, (ulong)header.AutoclearFeatures);
            U32(cluster, HeaderField.RefcountOrder, (uint)header.RefcountOrder.Order);
            U32(cluster, HeaderField.HeaderLength, (uint)header.HeaderLength);
            header.AdditionalFields.AsSpan().CopyTo(cluster.Slice(HeaderField.CompressionType));
        }

        int position = header.HeaderLength;
        foreach (HeaderExtension extension in header.Extensions)
        {
            extension.Write(cluster.Slice(position));
            position += extension.TotalLength;
        }

        int end = header.BackingFileOffset != 0 ? header.BackingFileOffset : cluster.Length;
        if (end - position >= HeaderExtension.PrefixLength)
        {
            cluster.Slice(position, HeaderExtension.PrefixLength).Clear();
        }

        if (header.BackingFileOffset != 0)
        {
            backingFile.CopyTo(cluster.Slice(header.BackingFileOffset));
        }
    }

    private static void U32(Span<byte> cluster, int field, uint value) => BinaryPrimitives.WriteUInt32BigEndian(cluster.Slice(field), value);

    private static void U64(Span<byte> cluster, int field, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(cluster.Slice(field), value);
}
