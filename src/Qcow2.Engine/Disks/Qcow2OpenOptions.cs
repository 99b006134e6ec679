namespace Qcow2.Engine;

/// <summary>How to open an image.</summary>
public sealed record Qcow2OpenOptions
{
    /// <summary>The defaults: follow references, respect locks, no passphrase.</summary>
    public static Qcow2OpenOptions Default { get; } = new();

    /// <summary>
    /// For reading a disk once, from its start to its end: as the defaults, but with 4 MiB for L2 tables, of which more would only take
    /// memory. Conversion and comparison read so.
    /// </summary>
    public static Qcow2OpenOptions Sequential { get; } = new() { L2CacheSize = 4L << 20 };

    /// <summary>Whether the image is opened for writing, too. The files below it in the chain are only ever read.</summary>
    public bool Writable { get; init; }

    /// <summary>What may be opened because the image names it. <see cref="ReferencePolicy.Follow"/> by default.</summary>
    public ReferencePolicy References { get; init; } = ReferencePolicy.Follow;

    /// <summary>
    /// Open the image alone, whether or not its backing file is there. Its metadata and its snapshots can be changed; reading
    /// what lies in the backing file fails (<see cref="Qcow2ErrorCode.BackingFileUnavailable"/>).
    /// </summary>
    public bool WithoutBacking { get; init; }

    /// <summary>Most images in the backing chain, the first included. 64 by default.</summary>
    public int MaxChainLength { get; init; } = 64;

    /// <summary>
    /// Format of a backing file where the image does not record it: the name of any format that is read (<see cref="DiskFormats"/>). The file is never probed,
    /// because the guest that wrote a raw disk could have planted a header in it.
    /// </summary>
    public string? BackingFormat { get; init; }

    /// <summary>
    /// Files among which the parent of a differencing disk is looked for whose format names none: VDI has the parent's id alone. What has that id is the
    /// parent; the others may be those of other disks of the chain. The caller names them, so that <see cref="References"/> is not asked.
    /// </summary>
    public IReadOnlyList<string> ParentPaths { get; init; } = [];

    /// <summary>The external data file, in place of the one that the image names; null to take that.</summary>
    public string? DataFile { get; init; }

    /// <summary>
    /// The passphrase of the image, and without <see cref="BackingPassphrases"/> of every encrypted file below it. Without one an encrypted image opens, and its metadata can be
    /// read; its data cannot. It must stay undisposed until the image is open.
    /// </summary>
    public Passphrase? Passphrase { get; init; }

    /// <summary>
    /// Asked for the passphrase of each file below the image, by its full path: files of a chain can be encrypted each with its own. Where it has none for a file,
    /// <see cref="Passphrase"/> is not tried: with the legacy method a wrong one is not found out, and shows noise. Null to open all files with <see cref="Passphrase"/>.
    /// </summary>
    public Func<string, Passphrase?>? BackingPassphrases { get; init; }

    /// <summary>
    /// Read the image although another program may be writing it, as <c>qemu-img -U</c> does. What is read may then be
    /// inconsistent. What is opened for writing is locked all the same.
    /// </summary>
    public bool ForceShare { get; init; }

    /// <summary>
    /// Open the image for reading although its active L1 table does not end in the file, or fields of its header are damaged that are
    /// needed for writing only. Reading what the lost part of the table led to fails. Has no effect on what is opened for writing.
    /// </summary>
    public bool Salvage { get; init; }

    /// <summary>
    /// Told, in sentences that name the file, of what is damaged without keeping the disk from being read: on opening of the
    /// <see cref="Qcow2Image.Problems"/> of the image itself, and on reading, from any thread, of a file of the chain that ends inside a
    /// cluster, whose rest is read as zeros. Null for nobody.
    /// </summary>
    public Action<string>? OnProblem { get; init; }

    /// <summary>Most memory for L2 tables, in bytes, for each image of the chain. 32 MiB by default.</summary>
    public long L2CacheSize { get; init; } = 32L << 20;

    /// <summary>The passphrase of a file below the image.</summary>
    internal Passphrase? PassphraseBelow(string path) => BackingPassphrases is null ? Passphrase : BackingPassphrases(path);

    /// <summary>How a file below the image is opened by itself, and the rest of the chain with it.</summary>
    internal Qcow2OpenOptions Below(string path) => this with { Passphrase = PassphraseBelow(path), BackingPassphrases = PassphraseBelow };
}
