using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Creation;

namespace Qcow2.Engine;

/// <summary>How to lay out a new QCOW2 image.</summary>
public sealed record Qcow2CreateOptions : DiskCreateOptions
{
    /// <summary>The defaults, which are QEMU's.</summary>
    public static Qcow2CreateOptions Default { get; } = new();

    /// <inheritdoc/>
    public override string FormatName => "qcow2";

    /// <summary>2 or 3; 3 by default.</summary>
    public int Version { get; init; } = 3;

    /// <summary>Bytes in a cluster: a power of two, 512 to 2 MiB; 64 KiB by default.</summary>
    public int ClusterSize { get; init; } = 65_536;

    /// <summary>Width of a refcount: 1, 2, 4, 8, 16, 32 or 64 bits; 16 by default, and always in version 2.</summary>
    public int RefcountBits { get; init; } = 16;

    /// <summary>How compressed clusters will be compressed; deflate by default, and always in version 2.</summary>
    public CompressionType CompressionType { get; init; }

    /// <summary>Whether other programs may postpone refcount updates. Version 3 only.</summary>
    public bool LazyRefcounts { get; init; }

    /// <summary>Whether clusters are divided into subclusters. Version 3, clusters of 16 KiB or more.</summary>
    public bool ExtendedL2 { get; init; }

    /// <summary>Name of the backing file, as it will be stored: relative to the new image's folder, or absolute. Null for none.</summary>
    public string? BackingFile { get; init; }

    /// <summary>Format of the backing file, <c>qcow2</c> or <c>raw</c> for two (<see cref="DiskFormats"/>); needed with <see cref="BackingFile"/>.</summary>
    public string? BackingFormat { get; init; }

    /// <summary>
    /// Whether the backing file is opened, to see that it is there and to take the disk's size from it where none is given.
    /// True by default.
    /// </summary>
    public bool CheckBackingFile { get; init; } = true;

    /// <summary>
    /// Asked for the passphrase of each encrypted file of the backing chain, by its full path. A conversion needs them, because it leaves out what the backing file has; a
    /// new image without data does not. Null for none.
    /// </summary>
    public Func<string, Passphrase?>? BackingPassphrases { get; init; }

    /// <summary>
    /// Files among which the parent of a differencing disk is looked for that is the backing file, or below it, and whose format names none (<see cref="Qcow2OpenOptions.ParentPaths"/>). A
    /// conversion needs them.
    /// </summary>
    public IReadOnlyList<string> BackingParentPaths { get; init; } = [];

    /// <summary>
    /// Name of an external data file to create, as it will be stored: relative to the new image's folder, or absolute. Null
    /// to keep data in the image. Version 3 only.
    /// </summary>
    public string? DataFile { get; init; }

    /// <summary>Whether the external data file alone is to be a raw image of the disk. Not with a backing file.</summary>
    public bool DataFileRaw { get; init; }

    /// <summary>
    /// Whether <see cref="DataFile"/> exists and becomes the disk as it is, in place of a new one: it is neither replaced nor written. The disk gets its size, and whoever
    /// opens the image sees what the file holds. It has to be raw, or <see cref="Preallocation"/> <see cref="Preallocation.Metadata"/>; it goes with no
    /// backing file and no encryption. Not for conversions, which write their destination.
    /// </summary>
    public bool KeepDataFile { get; init; }

    /// <summary>
    /// How the disk is encrypted: <see cref="EncryptionMethod.None"/>, the default, or <see cref="EncryptionMethod.Luks"/>, version 1. Images of
    /// the legacy AES method can be read and written, but are not made: it is not secure.
    /// </summary>
    public EncryptionMethod Encryption { get; init; }

    /// <summary>The algorithms of an image that is encrypted with LUKS; QEMU's defaults by default.</summary>
    public LuksOptions Luks { get; init; } = LuksOptions.Default;

    /// <summary>The passphrase of key slot 0, for an encrypted image. It stays the caller's, and is not empty.</summary>
    public Passphrase? Passphrase { get; init; }

    /// <summary>
    /// How long it is to take to try a passphrase on a machine like this one: the iterations of key derivation follow from it,
    /// 10,000 at least. Two seconds by default, as with QEMU's <c>iter-time</c>.
    /// </summary>
    public TimeSpan KeyDerivationTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>What is allocated in advance. With a backing file only if <see cref="ExtendedL2"/> is set: clusters without subclusters would hide it.</summary>
    public Preallocation Preallocation { get; init; }

    /// <inheritdoc/>
    internal override NewDiskFile Begin(VirtualDisk source, string path, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
        => NewQcow2File.Create(source, path, this, overwrite, options, cancellationToken);

    /// <inheritdoc/>
    internal override void CreateFile(string path, long? size, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken)
        => Qcow2Image.CreateFile(path, size, this, overwrite, progress, cancellationToken);

    /// <inheritdoc/>
    internal override Qcow2MeasureResult Measure(long size, VirtualDisk? source, VirtualDisk? bitmapSource, CancellationToken cancellationToken)
        => source is null ? Qcow2Measure.ForSize(size, this, _ => 0) : Qcow2Measure.ForDisk(source, this, (bitmapSource ?? source) as Qcow2Image, cancellationToken);
}
