using Qcow2.Engine.Errors;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Format;

/// <summary>
/// The header of an image: every field, the header extensions and the backing file's name (spec: "Header"). Reading
/// checks each field against the specification and QEMU's limits, but not against the file, whose length the header
/// does not know.
/// </summary>
public sealed record Qcow2Header
{
    /// <summary>The first four bytes of every image: "QFI" and 0xfb.</summary>
    public const uint Magic = 0x5146_49fb;

    /// <summary>Length of the header of version 2, in bytes.</summary>
    public const int Version2Length = 72;

    /// <summary>Least length of the header of version 3, in bytes.</summary>
    public const int Version3MinLength = 104;

    /// <summary>2 or 3.</summary>
    public int Version { get; init; } = 3;

    /// <summary>Where the backing file's name lies, in bytes from the start of the file; 0 for none.</summary>
    public int BackingFileOffset { get; init; }

    /// <summary>
    /// The backing file's name as stored, or null for none, which a name of no bytes is, too. It is a text: nothing says that it
    /// is a safe path.
    /// </summary>
    public string? BackingFile => BackingFileBytes.IsEmpty ? null : FormatText.Decode(BackingFileBytes.Span);

    /// <summary>The cluster size as a power of two; 9 to 21.</summary>
    public int ClusterBits { get; init; } = 16;

    /// <summary>Size of the virtual disk, in bytes.</summary>
    public long Size { get; init; }

    /// <summary>How guest data is encrypted.</summary>
    public EncryptionMethod EncryptionMethod { get; init; }

    /// <summary>Number of entries in the active L1 table.</summary>
    public int L1Size { get; init; }

    /// <summary>Host offset of the active L1 table, in bytes.</summary>
    public long L1TableOffset { get; init; }

    /// <summary>Host offset of the refcount table, in bytes.</summary>
    public long RefcountTableOffset { get; init; }

    /// <summary>Clusters that the refcount table takes.</summary>
    public int RefcountTableClusters { get; init; }

    /// <summary>
    /// Number of internal snapshots (<c>nb_snapshots</c>) as stored, which may be past the limit: only who needs the snapshots
    /// cares.
    /// </summary>
    public long SnapshotCount { get; init; }

    /// <summary>Host offset of the snapshot table as stored, in bytes; it need not be one where a table can lie.</summary>
    public long SnapshotsOffset { get; init; }

    /// <summary>Features needed to understand the image, unknown bits included.</summary>
    public IncompatibleFeatures IncompatibleFeatures { get; init; }

    /// <summary>Features that may be ignored, unknown bits included.</summary>
    public CompatibleFeatures CompatibleFeatures { get; init; }

    /// <summary>Features that a writer which does not know them clears, unknown bits included.</summary>
    public AutoclearFeatures AutoclearFeatures { get; init; }

    /// <summary>Width of refcounts; always 16 bits in version 2.</summary>
    public RefcountOrder RefcountOrder { get; init; } = RefcountOrder.Default;

    /// <summary>Length of the header before its extensions, in bytes: 72 in version 2, else at least 104.</summary>
    public int HeaderLength { get; init; } = 112;

    /// <summary>How compressed clusters are compressed: byte 104 of the header, deflate where that is absent.</summary>
    public CompressionType CompressionType
        => AdditionalFields.Length == 0 ? CompressionType.Deflate : (CompressionType)AdditionalFields[0];

    /// <summary>
    /// The bytes of the header from 104 to <see cref="HeaderLength"/> as they are in the file: the compression type, and
    /// fields that this engine does not know.
    /// </summary>
    public byte[] AdditionalFields { get; init; } = [];

    /// <summary>The header extensions in their order, without the end marker.</summary>
    public HeaderExtension[] Extensions { get; init; } = [];

    /// <summary>Bytes in a cluster.</summary>
    public int ClusterSize => 1 << ClusterBits;

    /// <summary>The sizes that follow from the header.</summary>
    public ClusterGeometry Geometry => new(ClusterBits, Has(IncompatibleFeatures.ExtendedL2));

    /// <summary>The bytes of the backing file's name, which need not be UTF-8.</summary>
    internal ReadOnlyMemory<byte> BackingFileBytes { get; init; }

    /// <summary>The field as stored; the specification leaves it undefined where there is no backing file.</summary>
    internal uint BackingFileSize { get; init; }

    /// <summary>Whether an incompatible feature bit is set.</summary>
    public bool Has(IncompatibleFeatures feature) => (IncompatibleFeatures & feature) != 0;

    /// <summary>Whether a compatible feature bit is set.</summary>
    public bool Has(CompatibleFeatures feature) => (CompatibleFeatures & feature) != 0;

    /// <summary>Whether an autoclear feature bit is set.</summary>
    public bool Has(AutoclearFeatures feature) => (AutoclearFeatures & feature) != 0;

    /// <summary>The extension of a kind, or null; the last of them where there are several, as QEMU has it.</summary>
    public T? Extension<T>()
        where T : HeaderExtension
    {
        for (int i = Extensions.Length - 1; i >= 0; i--)
        {
            if (Extensions[i] is T found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>Reads a header.</summary>
    /// <param name="firstCluster">The file's first cluster, or the whole file where that is shorter.</param>
    /// <exception cref="Qcow2Exception">The bytes are no QCOW2 header, or one that breaks the specification or a limit.</exception>
    public static Qcow2Header Parse(ReadOnlySpan<byte> firstCluster) => Qcow2HeaderReader.Read(firstCluster);

    /// <summary>Whether bytes begin with the magic number, which versions 1, 2 and 3 share.</summary>
    internal static bool BeginsAt(ReadOnlySpan<byte> start)
        => start.Length >= sizeof(uint) && System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(start) == Magic;

    /// <summary>Writes the header, its extensions, the end marker and the backing file's name where they belong.</summary>
    /// <param name="firstCluster">The file's first cluster; bytes that belong to none of these are left as they are.</param>
    public void Write(Span<byte> firstCluster) => Qcow2HeaderWriter.Write(this, firstCluster);

    /// <summary>The header, its extensions, the end marker and the backing file's name: as much of the first cluster as they take.</summary>
    internal byte[] ToArray()
    {
        int end = HeaderLength + Extensions.Sum(extension => extension.TotalLength) + HeaderExtension.PrefixLength;
        byte[] bytes = new byte[Math.Min(ClusterSize, Math.Max(end, BackingFileOffset + BackingFileBytes.Length))];
        Write(bytes);
        return bytes;
    }

    /// <summary>What is wrong with the extensions; the active disk of an image that is not encrypted can be read all the same.</summary>
    internal IEnumerable<string> ExtensionProblems
    {
        get
        {
            foreach (HeaderExtension extension in Extensions.Where(extension => extension.Problem is not null))
            {
                yield return extension.Problem!;
            }

            int rest = BackingFileOffset - HeaderLength - Extensions.Sum(extension => extension.TotalLength);
            if (BackingFileOffset != 0 && rest is > 0 and < HeaderExtension.PrefixLength)
            {
                yield return $"backing_file_offset is 0x{BackingFileOffset:x}, and the extension area ends there, {rest} bytes into an extension.";
            }

            bool hasPointer = Extension<EncryptionHeaderExtension>() is not null;
            if (hasPointer && EncryptionMethod != EncryptionMethod.Luks)
            {
                yield return $"There is an encryption header extension, but crypt_method is {(uint)EncryptionMethod}; only LUKS (2) has one.";
            }

            if (!hasPointer && EncryptionMethod == EncryptionMethod.Luks)
            {
                yield return EncryptionHeaderExtension.Missing;
            }
        }
    }

    /// <summary>Refuses what depends on every extension, where it cannot be told what they are.</summary>
    /// <exception cref="Qcow2Exception">An extension runs past the extension area.</exception>
    internal void EnsureExtensionsKnown()
    {
        if (Extension<OversizedHeaderExtension>() is { } oversized)
        {
            throw Qcow2Errors.Corrupt(
                $"{oversized.Problem} So nobody knows what lies behind it. The image can be read, but is not written or rewritten: convert it to a new one.");
        }
    }

    /// <summary>The version and the sizes that all else depends on.</summary>
    public override string ToString() => $"QCOW2 version {Version}, {Size} bytes in clusters of {ClusterSize}";

    /// <summary>Refuses an image that uses a feature this engine does not know, and names it.</summary>
    /// <exception cref="Qcow2Exception">An unknown incompatible feature bit is set.</exception>
    public void EnsureSupported()
    {
        const IncompatibleFeatures Known = IncompatibleFeatures.Dirty | IncompatibleFeatures.Corrupt
            | IncompatibleFeatures.ExternalDataFile | IncompatibleFeatures.CompressionType | IncompatibleFeatures.ExtendedL2;

        ulong unknown = (ulong)(IncompatibleFeatures & ~Known);
        if (unknown == 0)
        {
            return;
        }

        FeatureNameTableExtension? names = Extension<FeatureNameTableExtension>();
        var features = new List<string>();
        for (int bit = 0; bit < 64; bit++)
        {
            if ((unknown & (1UL << bit)) != 0)
            {
                string? name = names?.Find(FeatureKind.Incompatible, bit);
                features.Add(string.IsNullOrEmpty(name) ? $"bit {bit}" : $"'{PrintableText.Of(name!)}' (bit {bit})");
            }
        }

        throw Qcow2Errors.Unsupported(
            $"The image uses incompatible features that this version does not know: {string.Join(", ", features)}. A newer version may.");
    }
}
