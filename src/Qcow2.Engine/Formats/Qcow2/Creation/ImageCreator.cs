using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Creation;

/// <summary>Writes the metadata of a new, empty image.</summary>
internal static class ImageCreator
{
    private const int HeaderLength = 112;

    /// <summary>Lays out an image in empty storage, and leaves the flush to the caller. Its disk has whole sectors (<see cref="DiskSize"/>).</summary>
    /// <returns>The cipher of an encrypted image, which the caller disposes of; null for any other.</returns>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows.</exception>
    internal static SectorCipher? Create(BlockStorage storage, long size, Qcow2CreateOptions options, CancellationToken cancellationToken)
    {
        Qcow2Header header = HeaderFor(size, options);
        if (options.Encryption == EncryptionMethod.None)
        {
            WriteMetadata(storage, header, [], CountedClusters(header, options));
            return null;
        }

        (byte[] area, SectorCipher cipher) = LuksFormatter.Format(LuksPlan.Of(options.Luks), options.Passphrase!, options.KeyDerivationTime, cancellationToken);
        try
        {
            WriteMetadata(storage, header, area, CountedClusters(header, options));
            return cipher;
        }
        catch
        {
            cipher.Dispose();
            throw;
        }
    }

    /// <summary>Lays out an empty image that has everything of another one's header but what points into that one's file.</summary>
    /// <param name="storage">Empty storage.</param>
    /// <param name="model">The other image's header.</param>
    /// <param name="size">Size of the disk, in bytes.</param>
    /// <param name="encryptionHeader">The other image's encryption header; empty where there is none.</param>
    /// <returns>The new header.</returns>
    internal static Qcow2Header CreateLike(BlockStorage storage, Qcow2Header model, long size, byte[] encryptionHeader)
    {
        size = DiskSize.RoundUp(size);
        Qcow2Header header = model with
        {
            Size = size,
            L1Size = (int)model.Geometry.L1EntriesFor(size),
            SnapshotCount = 0,
            SnapshotsOffset = 0,
            IncompatibleFeatures = model.IncompatibleFeatures & ~IncompatibleFeatures.Dirty,
            AutoclearFeatures = 0,
            Extensions = [.. model.Extensions.Where(extension => extension is not BitmapsExtension
                && (extension is not EncryptionHeaderExtension || encryptionHeader.Length > 0))],
        };
        return WriteMetadata(storage, header, encryptionHeader, countedClusters: 0);
    }

    /// <summary>How many clusters the file is about to have; 0 where it grows in its own time.</summary>
    private static long CountedClusters(Qcow2Header header, Qcow2CreateOptions options)
        => options.Preallocation == Preallocation.Off || options.DataFile is not null
            ? 0
            : FullLayout.MetadataClusters(header.Size, header.Geometry, header.RefcountOrder) + FullLayout.Clusters(header.Size, header.Geometry)
                + (options.Encryption == EncryptionMethod.None ? 0 : FullLayout.Clusters(LuksPlan.Of(options.Luks).AreaLength, header.Geometry));

    private static Qcow2Header WriteMetadata(BlockStorage storage, Qcow2Header header, byte[] encryptionHeader, long countedClusters)
    {
        var refcounts = RefcountStore.CreateEmpty(storage, header.Geometry, header.RefcountOrder, countedClusters);
        refcounts.Append(1); // the header's cluster
        long l1Clusters = ((long)header.L1Size * L1Entry.Length + header.ClusterSize - 1) >> header.ClusterBits;
        long l1Offset = l1Clusters == 0 ? 0 : refcounts.Append(l1Clusters) << header.ClusterBits;
        long encryptionOffset = 0;
        if (encryptionHeader.Length > 0)
        {
            encryptionOffset = refcounts.Append((encryptionHeader.Length + header.ClusterSize - 1) >> header.ClusterBits) << header.ClusterBits;
            storage.Write(encryptionOffset, encryptionHeader);
        }

        header = header with
        {
            L1TableOffset = l1Offset,
            RefcountTableOffset = refcounts.TableOffset,
            RefcountTableClusters = refcounts.TableClusters,
            Extensions = [.. header.Extensions.Select(extension => extension is EncryptionHeaderExtension encryption
                ? new EncryptionHeaderExtension(encryptionOffset, encryption.HeaderLength)
                : extension)],
        };

        refcounts.ApplyDecrements(_ => { }); // A table that was outgrown before anything was written.
        refcounts.WriteBlocks();
        refcounts.WriteMovedTable();
        L1Table.CreateEmpty(l1Offset, header.L1Size).WriteMoved(storage);
        storage.Write(0, header.ToArray());
        storage.SetLength(refcounts.HighWater << header.ClusterBits);
        return header;
    }

    /// <summary>Checks everything that does not need the passphrase of an encrypted image.</summary>
    /// <returns>The cluster sizes and the width of refcounts that the options ask for.</returns>
    /// <exception cref="ArgumentException">The options contradict each other or the format.</exception>
    /// <exception cref="Qcow2Exception">The disk is larger than the layout allows.</exception>
    internal static (ClusterGeometry Geometry, RefcountOrder Refcounts) CheckLayout(long size, Qcow2CreateOptions options)
    {
        int clusterBits = BitsOf(options.ClusterSize, nameof(options.ClusterSize));
        int refcountOrder = BitsOf(options.RefcountBits, nameof(options.RefcountBits));
        Check(options, clusterBits, refcountOrder, size);

        var geometry = new ClusterGeometry(clusterBits, options.ExtendedL2);
        long l1Size = geometry.L1EntriesFor(size);
        const long MaxL1Size = Qcow2Limits.MaxL1TableBytes / L1Entry.Length;
        if (l1Size > MaxL1Size)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LimitExceeded,
                $"A disk of {size} bytes is too large for clusters of {options.ClusterSize} bytes; the limit is {MaxL1Size << geometry.L1CoverageBits} bytes. "
                + "Larger clusters allow larger disks.");
        }

        return (geometry, new RefcountOrder(refcountOrder));
    }

    private static Qcow2Header HeaderFor(long size, Qcow2CreateOptions options)
    {
        size = DiskSize.RoundUp(size);
        (ClusterGeometry geometry, RefcountOrder refcounts) = CheckLayout(size, options);
        CheckPassphrase(options);
        byte[] name = options.BackingFile is null ? [] : FormatText.Encode(options.BackingFile);
        List<HeaderExtension> extensions = ExtensionsFor(options);
        int headerLength = options.Version == 2 ? Qcow2Header.Version2Length : HeaderLength;
        int nameOffset = headerLength + extensions.Sum(extension => extension.TotalLength) + HeaderExtension.PrefixLength;
        if (name.Length > Qcow2Limits.MaxBackingFileNameBytes || nameOffset + name.Length > options.ClusterSize)
        {
            throw new ArgumentException(
                $"The backing file's name is {name.Length} bytes long; {Math.Min(Qcow2Limits.MaxBackingFileNameBytes, options.ClusterSize - nameOffset)} are possible here.",
                nameof(options));
        }

        return new Qcow2Header
        {
            Version = options.Version,
            ClusterBits = geometry.ClusterBits,
            Size = size,
            EncryptionMethod = options.Encryption,
            L1Size = (int)geometry.L1EntriesFor(size),
            RefcountOrder = refcounts,
            HeaderLength = headerLength,
            AdditionalFields = options.Version == 2 ? [] : [(byte)options.CompressionType, 0, 0, 0, 0, 0, 0, 0],
            IncompatibleFeatures = (options.CompressionType == CompressionType.Deflate ? 0 : IncompatibleFeatures.CompressionType)
                | (options.ExtendedL2 ? IncompatibleFeatures.ExtendedL2 : 0)
                | (options.DataFile is null ? 0 : IncompatibleFeatures.ExternalDataFile),
            AutoclearFeatures = options.DataFileRaw ? AutoclearFeatures.RawExternalData : 0,
            CompatibleFeatures = options.LazyRefcounts ? CompatibleFeatures.LazyRefcounts : 0,
            Extensions = [.. extensions],
            BackingFileOffset = name.Length == 0 ? 0 : nameOffset,
            BackingFileSize = (uint)name.Length,
            BackingFileBytes = name,
        };
    }

    private static List<HeaderExtension> ExtensionsFor(Qcow2CreateOptions options)
    {
        var extensions = new List<HeaderExtension>();
        if (options.BackingFormat is not null)
        {
            extensions.Add(new BackingFormatExtension(DiskFormats.RecordedNameOf(options.BackingFormat)));
        }

        if (options.DataFile is not null)
        {
            extensions.Add(new DataFileNameExtension(options.DataFile));
        }

        if (options.Encryption == EncryptionMethod.Luks)
        {
            extensions.Add(new EncryptionHeaderExtension(0, LuksPlan.Of(options.Luks).AreaLength)); // Its place is known later.
        }

        if (options.Version >= 3)
        {
            var names = new FeatureNameTableExtension(FeatureNames);
            int room = options.ClusterSize - HeaderLength - extensions.Sum(extension => extension.TotalLength)
                - (options.BackingFile is null ? 0 : FormatText.Encode(options.BackingFile).Length) - HeaderExtension.PrefixLength
                - HeaderExtension.PrefixLength - BitmapsExtension.DataLength;
            if (names.TotalLength <= room)
            {
                extensions.Add(names); // Only a help for people: left out where clusters are too small for it and for bitmaps.
            }
        }

        return extensions;
    }

    private static void Check(Qcow2CreateOptions options, int clusterBits, int refcountOrder, long size)
    {
        if (size < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is 0 bytes or more.");
        }

        if (options.Version is not (2 or 3))
        {
            throw new ArgumentException($"Version {options.Version} does not exist; QCOW2 has versions 2 and 3.", nameof(options));
        }

        if (clusterBits is < Qcow2Limits.MinClusterBits or > Qcow2Limits.MaxClusterBits)
        {
            throw new ArgumentException($"A cluster has 512 bytes to 2 MiB, not {options.ClusterSize} bytes.", nameof(options));
        }

        if (refcountOrder > Qcow2Limits.MaxRefcountOrder)
        {
            throw new ArgumentException($"A refcount has 1 to 64 bits, not {options.RefcountBits}.", nameof(options));
        }

        if (options.Version == 2
            && (options.RefcountBits != 16 || options.LazyRefcounts || options.ExtendedL2 || options.CompressionType != CompressionType.Deflate
                || options.DataFile is not null))
        {
            throw new ArgumentException(
                "Version 2 has refcounts of 16 bits and deflate only, no lazy refcounts, extended L2 entries or external data files; use version 3.",
                nameof(options));
        }

        if (options.DataFileRaw && options.DataFile is null)
        {
            throw new ArgumentException("There is no external data file that could be raw; name one.", nameof(options));
        }

        if (options.BackingFile is not null && (options.DataFileRaw || (options.Preallocation != Preallocation.Off && !options.ExtendedL2)))
        {
            throw new ArgumentException(
                "An image with a backing file can have no raw external data file, and preallocated clusters only with extended L2 entries, which can say that they hold nothing yet: else they would hide the backing file.",
                nameof(options));
        }

        KeptDataFile.Check(options);
        CheckEncryption(options);
        if (options.ExtendedL2 && clusterBits < Qcow2Limits.MinExtendedL2ClusterBits)
        {
            throw new ArgumentException($"Extended L2 entries need clusters of 16 KiB or more, not {options.ClusterSize} bytes.", nameof(options));
        }

        if ((options.BackingFile is null) != (options.BackingFormat is null))
        {
            throw new ArgumentException("A backing file and its format are given together.", nameof(options));
        }
    }

    private static void CheckEncryption(Qcow2CreateOptions options)
    {
        switch (options.Encryption)
        {
            case EncryptionMethod.None when options.Luks != LuksOptions.Default:
                throw new ArgumentException("There are options of LUKS, but the new image is not to be encrypted with it.", nameof(options));
            case EncryptionMethod.None:
                return;
            case EncryptionMethod.Aes:
                throw new ArgumentException(
                    "New images are not encrypted with the legacy AES method, which is not secure: it uses the passphrase itself as a short key. Use LUKS.",
                    nameof(options));
            case EncryptionMethod.Luks:
                break;
            default:
                throw new ArgumentException($"There is no encryption method {(uint)options.Encryption}.", nameof(options));
        }

        LuksPlan.Of(options.Luks);
        if (options.KeyDerivationTime < TimeSpan.Zero)
        {
            throw new ArgumentException($"Key derivation cannot take {options.KeyDerivationTime}; that is less than no time.", nameof(options));
        }

        if (options.DataFileRaw)
        {
            throw new ArgumentException("An encrypted external data file is no raw image of the disk; have one or the other.", nameof(options));
        }

        if (options.Version == 2 && options.Preallocation is Preallocation.Metadata or Preallocation.Falloc)
        {
            throw new ArgumentException(
                "Version 2 cannot say that space which was reserved reads as zeros, and what is decrypted from nothing is noise. "
                + "Use version 3, or full preallocation, which writes encrypted zeros.",
                nameof(options));
        }
    }

    private static void CheckPassphrase(Qcow2CreateOptions options)
    {
        if (options.Encryption == EncryptionMethod.None)
        {
            if (options.Passphrase is not null)
            {
                throw new ArgumentException("There is a passphrase, but the new image is not to be encrypted; say which encryption.", nameof(options));
            }
        }
        else if (options.Passphrase is null || options.Passphrase.Utf8.IsEmpty)
        {
            throw new ArgumentException("An encrypted image needs a passphrase, and an empty one protects nothing.", nameof(options));
        }
    }

    private static int BitsOf(int value, string name)
    {
        int bits = 0;
        while (1L << bits < value)
        {
            bits++;
        }

        return 1L << bits == value ? bits : throw new ArgumentException($"{name} is {value}; it must be a power of two.");
    }

    internal static readonly FeatureName[] FeatureNames =
    [
        new(FeatureKind.Incompatible, 0, "dirty bit"),
        new(FeatureKind.Incompatible, 1, "corrupt bit"),
        new(FeatureKind.Incompatible, 2, "external data file"),
        new(FeatureKind.Incompatible, 3, "compression type"),
        new(FeatureKind.Incompatible, 4, "extended L2 entries"),
        new(FeatureKind.Compatible, 0, "lazy refcounts"),
        new(FeatureKind.Autoclear, 0, "bitmaps"),
        new(FeatureKind.Autoclear, 1, "raw external data"),
    ];
}
