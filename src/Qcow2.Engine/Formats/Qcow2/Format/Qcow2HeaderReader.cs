using System.Buffers.Binary;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Format;

/// <summary>Bytes into a <see cref="Qcow2Header"/>, with every check that needs no more than the header itself.</summary>
internal static class Qcow2HeaderReader
{
    internal static Qcow2Header Read(ReadOnlySpan<byte> cluster)
    {
        if (!Qcow2Header.BeginsAt(cluster))
        {
            throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2, "This is not a QCOW2 image: it does not begin with the magic number 'QFI\\xfb'.");
        }

        RequireLength(cluster, Qcow2Header.Version2Length, "the header of version 2");
        uint version = U32(cluster, HeaderField.Version);
        if (version == 1)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.NotQcow2, "This is not a QCOW2 image, but a QCOW image of version 1. Images of this format are not changed in place: convert it to a qcow2 image first.");
        }

        if (version is not (2 or 3))
        {
            throw Qcow2Errors.Unsupported($"version is {version}; only versions 2 and 3 are QCOW2.");
        }

        uint clusterBits = U32(cluster, HeaderField.ClusterBits);
        if (clusterBits is < Qcow2Limits.MinClusterBits or > Qcow2Limits.MaxClusterBits)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"cluster_bits is {clusterBits}; the limits are {Qcow2Limits.MinClusterBits} and {Qcow2Limits.MaxClusterBits}.");
        }

        var header = new Qcow2Header
        {
            Version = (int)version,
            ClusterBits = (int)clusterBits,
            Size = Offset(cluster, HeaderField.Size, "size", long.MaxValue),
            EncryptionMethod = ReadEncryptionMethod(cluster),
            HeaderLength = Qcow2Header.Version2Length,
        };

        if (version == 3)
        {
            header = ReadVersion3(header, cluster);
        }

        header = ReadTables(header, cluster);
        header = ReadBackingFile(header, cluster);
        header = header with { Extensions = [.. ReadExtensions(header, cluster)] };
        CheckConsistency(header);
        return header;
    }

    private static Qcow2Header ReadVersion3(Qcow2Header header, ReadOnlySpan<byte> cluster)
    {
        RequireLength(cluster, Qcow2Header.Version3MinLength, "the header of version 3");
        uint length = U32(cluster, HeaderField.HeaderLength);
        if (length < Qcow2Header.Version3MinLength || length % 8 != 0)
        {
            throw Qcow2Errors.Corrupt(
                $"header_length is {length}; it must be a multiple of 8 and at least {Qcow2Header.Version3MinLength}.");
        }

        if (length > (uint)header.ClusterSize)
        {
            throw Qcow2Errors.Corrupt($"header_length is {length}; the header must fit in the first cluster of {header.ClusterSize} bytes.");
        }

        RequireLength(cluster, (int)length, $"the header of header_length {length}");
        uint order = U32(cluster, HeaderField.RefcountOrder);
        if (order > Qcow2Limits.MaxRefcountOrder)
        {
            throw Qcow2Errors.Limit("refcount_order", order, Qcow2Limits.MaxRefcountOrder);
        }

        header = header with
        {
            IncompatibleFeatures = (IncompatibleFeatures)U64(cluster, HeaderField.IncompatibleFeatures),
            CompatibleFeatures = (CompatibleFeatures)U64(cluster, HeaderField.CompatibleFeatures),
            AutoclearFeatures = (AutoclearFeatures)U64(cluster, HeaderField.AutoclearFeatures),
            RefcountOrder = new RefcountOrder((int)order),
            HeaderLength = (int)length,
            AdditionalFields = cluster.Slice(HeaderField.CompressionType, (int)length - HeaderField.CompressionType).ToArray(),
        };

        CheckCompressionType(header);
        return header;
    }

    private static void CheckCompressionType(Qcow2Header header)
    {
        byte type = (byte)header.CompressionType;
        bool announced = header.Has(IncompatibleFeatures.CompressionType);
        if (type > (byte)CompressionType.Zstd)
        {
            throw Qcow2Errors.Unsupported($"compression_type is {type}; known are 0 (deflate) and 1 (zstd).");
        }

        if (announced != (type != 0))
        {
            throw Qcow2Errors.Corrupt(
                $"compression_type is {type}, but incompatible feature bit 3 (compression type) is {(announced ? "set" : "clear")}; "
                + "it must be set exactly when the type is not 0.");
        }
    }

    private static EncryptionMethod ReadEncryptionMethod(ReadOnlySpan<byte> cluster)
    {
        uint method = U32(cluster, HeaderField.CryptMethod);
        return method <= (uint)EncryptionMethod.Luks
            ? (EncryptionMethod)method
            : throw Qcow2Errors.Unsupported($"crypt_method is {method}; known are 0 (none), 1 (AES) and 2 (LUKS).");
    }

    private static Qcow2Header ReadTables(Qcow2Header header, ReadOnlySpan<byte> cluster)
    {
        if (header.Has(IncompatibleFeatures.ExtendedL2) && header.ClusterBits < Qcow2Limits.MinExtendedL2ClusterBits)
        {
            throw Qcow2Errors.Corrupt(
                $"cluster_bits is {header.ClusterBits}; extended L2 entries need at least {Qcow2Limits.MinExtendedL2ClusterBits}.");
        }

        ulong l1Size = U32(cluster, HeaderField.L1Size);
        ulong maxL1Size = (ulong)Qcow2Limits.MaxL1TableBytes / L1Entry.Length;
        if (l1Size > maxL1Size)
        {
            throw Qcow2Errors.Limit("l1_size", l1Size, maxL1Size, "entries");
        }

        long neededL1 = header.Geometry.L1EntriesFor(header.Size);
        if ((ulong)neededL1 > maxL1Size)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"size is {header.Size} bytes, which would take an L1 table of {neededL1} entries; the limit is {maxL1Size}.");
        }

        if (l1Size < (ulong)neededL1)
        {
            throw Qcow2Errors.Corrupt($"l1_size is {l1Size}, too small for a disk of {header.Size} bytes, which needs {neededL1} entries.");
        }

        ulong refcountClusters = U32(cluster, HeaderField.RefcountTableClusters);
        ulong maxRefcountClusters = Math.Max(1UL, (ulong)Qcow2Limits.MaxRefcountTableBytes >> header.ClusterBits);
        if (refcountClusters > maxRefcountClusters)
        {
            throw Qcow2Errors.Limit("refcount_table_clusters", refcountClusters, maxRefcountClusters, "clusters");
        }

        if (refcountClusters == 0)
        {
            throw Qcow2Errors.Corrupt("refcount_table_clusters is 0: the image has no refcount table.");
        }

        return header with
        {
            L1Size = (int)l1Size,
            L1TableOffset = TableOffset(header, cluster, HeaderField.L1TableOffset, "l1_table_offset"),
            RefcountTableOffset = TableOffset(header, cluster, HeaderField.RefcountTableOffset, "refcount_table_offset"),
            RefcountTableClusters = (int)refcountClusters,
            SnapshotCount = U32(cluster, HeaderField.SnapshotCount),
            SnapshotsOffset = (long)U64(cluster, HeaderField.SnapshotsOffset),
        };
    }

    private static Qcow2Header ReadBackingFile(Qcow2Header header, ReadOnlySpan<byte> cluster)
    {
        ulong offset = U64(cluster, HeaderField.BackingFileOffset);
        uint length = U32(cluster, HeaderField.BackingFileSize);
        if (offset == 0)
        {
            return header with { BackingFileSize = length };
        }

        if (length > Qcow2Limits.MaxBackingFileNameBytes)
        {
            throw Qcow2Errors.Limit("backing_file_size", length, Qcow2Limits.MaxBackingFileNameBytes, "bytes");
        }

        if (length == 0 && offset <= (ulong)header.ClusterSize)
        {
            return header with { BackingFileOffset = (int)offset };
        }

        if (offset < (ulong)header.HeaderLength || offset > (ulong)header.ClusterSize - length)
        {
            throw Qcow2Errors.Corrupt(
                $"backing_file_offset is 0x{offset:x} and the name is {length} bytes long; "
                + $"it must lie between the header's end at 0x{header.HeaderLength:x} and the end of the first cluster at 0x{header.ClusterSize:x}.");
        }

        RequireLength(cluster, (int)(offset + length), "the backing file's name");
        byte[] name = cluster.Slice((int)offset, (int)length).ToArray();
        return header with { BackingFileOffset = (int)offset, BackingFileSize = length, BackingFileBytes = name };
    }

    private static List<HeaderExtension> ReadExtensions(Qcow2Header header, ReadOnlySpan<byte> cluster)
    {
        var extensions = new List<HeaderExtension>();
        int end = Math.Min(header.BackingFileOffset != 0 ? header.BackingFileOffset : header.ClusterSize, cluster.Length);
        int position = header.HeaderLength;

        while (end - position >= HeaderExtension.PrefixLength)
        {
            var type = (HeaderExtensionType)U32(cluster, position);
            uint length = U32(cluster, position + 4);
            int room = end - position - HeaderExtension.PrefixLength;
            if (length > (uint)room)
            {
                extensions.Add(new OversizedHeaderExtension(
                    type, length, position, cluster.Slice(position + HeaderExtension.PrefixLength, room).ToArray()));
                break;
            }

            // Only now: QEMU does not open an image whose end marker has a length that does not fit.
            if (type == HeaderExtensionType.End)
            {
                break;
            }

            // The last extension of a full area may lack its padding.
            int padding = Math.Min(HeaderExtension.PaddingFor((int)length), room - (int)length);
            ReadOnlySpan<byte> body = cluster.Slice(position + HeaderExtension.PrefixLength);
            extensions.Add(HeaderExtension.Create(
                type, body.Slice(0, (int)length).ToArray(), body.Slice((int)length, padding).ToArray()));
            position += HeaderExtension.PrefixLength + (int)length + padding;
        }

        return extensions;
    }

    private static void CheckConsistency(Qcow2Header header)
    {
        if (header.Has(AutoclearFeatures.RawExternalData))
        {
            if (!header.Has(IncompatibleFeatures.ExternalDataFile))
            {
                throw Qcow2Errors.Corrupt("Autoclear feature bit 1 (raw external data) is set, but the image has no external data file.");
            }

            if (header.BackingFile is not null)
            {
                throw Qcow2Errors.Corrupt("The image has a backing file and a raw external data file, which exclude each other.");
            }
        }
    }

    private static long TableOffset(Qcow2Header header, ReadOnlySpan<byte> cluster, int field, string name)
    {
        long offset = Offset(cluster, field, name, Qcow2Limits.HostOffsetEnd - 1);
        return header.Geometry.IsClusterAligned(offset)
            ? offset
            : throw Qcow2Errors.Misaligned(name, (ulong)offset, header.ClusterSize);
    }

    private static long Offset(ReadOnlySpan<byte> cluster, int field, string name, long max)
    {
        ulong value = U64(cluster, field);
        return value <= (ulong)max ? (long)value : throw Qcow2Errors.Limit(name, value, (ulong)max);
    }

    private static void RequireLength(ReadOnlySpan<byte> cluster, int length, string what)
    {
        if (cluster.Length < length)
        {
            throw Qcow2Errors.Corrupt($"The file is cut off: it has {cluster.Length} bytes, and {what} takes {length}.");
        }
    }

    private static uint U32(ReadOnlySpan<byte> cluster, int field) => BinaryPrimitives.ReadUInt32BigEndian(cluster.Slice(field));

    private static ulong U64(ReadOnlySpan<byte> cluster, int field) => BinaryPrimitives.ReadUInt64BigEndian(cluster.Slice(field));
}
