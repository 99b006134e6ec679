using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <content>How a new file is laid out.</content>
public abstract partial class ConversionCmdlet : IQcow2FileLayout, IDiskLayout
{
    private static readonly string[] Qcow2Parameters = [.. Qcow2Layout.FileNames, nameof(DestinationDataFile), nameof(DestinationDataFileRaw)];

    private static readonly string[] LayoutParameters = [.. Qcow2Parameters.Union(DiskLayout.Names)];

    /// <summary>
    /// How a new VHD, VHDX, VMDK or VDI image keeps its disk: <c>Dynamic</c>, which is the default, or <c>Fixed</c>; of VMDK also <c>StreamOptimized</c>,
    /// for OVA packages and vSphere, and <c>Vmfs</c>, for a datastore of ESXi. <c>MonolithicSparse</c> and <c>MonolithicFlat</c> are VMware's
    /// words for dynamic and fixed.
    /// </summary>
    /// <value>Dynamic</value>
    [Parameter]
    [Alias("VHDType")]
    public DiskImageType? DestinationType { get; set; }

    /// <summary>
    /// Bytes in a cluster of a new qcow2 image: a power of two, 512 bytes to 2 MiB. With <c>-ExtendedL2</c>, 16 KiB or more. Or bytes in a
    /// block of a new VHDX image, 1 to 256 MiB (32 MiB by default), or of a dynamic VHD, 512 KiB or 2 MiB (2 MiB by default).
    /// </summary>
    [Parameter]
    [Alias("BlockSizeBytes", "ClusterSize")]
    [ByteSize]
    [ArgumentCompleter(typeof(ClusterSizeCompleter))]
    public int ClusterSizeBytes { get; set; } = Qcow2CreateOptions.Default.ClusterSize;

    /// <summary>Bytes in a sector of a new VHDX image's disk, as a guest sees it: 512 or 4096.</summary>
    [Parameter]
    [ValidateSet("512", "4096")]
    public int LogicalSectorSizeBytes { get; set; } = 512;

    /// <summary>Bytes in a sector of the device that a new VHDX image claims to be: 4096, as Windows has it, or 512.</summary>
    [Parameter]
    [ValidateSet("512", "4096")]
    public int PhysicalSectorSizeBytes { get; set; } = 4096;

    /// <summary>
    /// Makes a VHD that Azure takes: fixed, its disk rounded up to a whole number of MiB, and to 20 MiB at least. More than 32 TiB, and another format
    /// than VHD, Azure refuses: these are errors.
    /// </summary>
    [Parameter]
    public SwitchParameter AzureReady { get; set; }

    /// <summary>The adapter that a VMDK image is made for: <c>LsiLogic</c>, which stands for the newer ones, too, <c>Ide</c> or <c>BusLogic</c>.</summary>
    [Parameter]
    public VmdkAdapterType AdapterType { get; set; }

    /// <summary>
    /// What a new qcow2 image allocates in advance; with <c>-BackingFile</c> it takes <c>-ExtendedL2</c>, too. Of a new raw disk <c>Falloc</c> has the host reserve all of its
    /// space, and <c>Full</c> writes all of it.
    /// </summary>
    [Parameter]
    public Preallocation Preallocation { get; set; }

    /// <summary>
    /// How a new qcow2 image compresses clusters: <c>Deflate</c>, which every reader knows and which is written with the window of 4 KiB that
    /// QEMU uses, or <c>Zstd</c>, which is faster and needs version 3. It is recorded in the image; only with <c>-Compress</c> is anything compressed.
    /// </summary>
    [Parameter]
    public CompressionType CompressionType { get; set; }

    /// <summary>Version of a new qcow2 image's format. 2 is for QEMU before 1.1 and lacks most of what the other parameters ask for.</summary>
    [Parameter]
    [ValidateSet("2", "3")]
    public int Version { get; set; } = Qcow2CreateOptions.Default.Version;

    /// <summary>Width of a reference count of a new qcow2 image, in bits. In version 2 it is 16.</summary>
    [Parameter]
    [ValidateSet("1", "2", "4", "8", "16", "32", "64")]
    public int RefcountBits { get; set; } = Qcow2CreateOptions.Default.RefcountBits;

    /// <summary>Lets QEMU postpone updates of a new qcow2 image's reference counts. Version 3 only.</summary>
    [Parameter]
    public SwitchParameter LazyRefcounts { get; set; }

    /// <summary>Divides each cluster of a new qcow2 image into 32 subclusters. Version 3 and clusters of 16 KiB or more.</summary>
    [Parameter]
    public SwitchParameter ExtendedL2 { get; set; }

    /// <summary>
    /// The file that a new qcow2 image is layered on: only what differs from it is written. Its name is stored as it is given; a relative
    /// one starts from the folder of the new image. <c>-BackingFormat</c> goes with it. What both take from the same place of the same file is
    /// not even read.
    /// </summary>
    [Parameter]
    [Alias("ParentPath")]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? BackingFile { get; set; }

    /// <summary>
    /// An external data file to make, which holds the data of a new qcow2 image. Its name is stored as it is given: a relative one starts from
    /// the folder of the new image. Version 3 only. <c>-DataFile</c> is that of the source.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DestinationDataFile { get; set; }

    /// <summary>Keeps the new external data file a raw image of the disk. Not with <c>-BackingFile</c>.</summary>
    [Parameter]
    public SwitchParameter DestinationDataFileRaw { get; set; }

    /// <summary>
    /// How a new qcow2 image is encrypted. <c>Luks</c> needs <c>-DestinationPassphrase</c>. By default it is not encrypted, also where the
    /// source is.
    /// </summary>
    [Parameter]
    public EncryptionMethod Encryption { get; set; }

    /// <summary>The cipher of a new qcow2 image that is encrypted with LUKS, and the bits of its key. <c>aes-192</c> goes with the mode <c>xts</c> only.</summary>
    [Parameter]
    [ValidateSet("aes-128", "aes-192", "aes-256")]
    public string CipherAlgorithm { get; set; } = LuksOptions.Default.CipherAlgorithm;

    /// <summary>
    /// The mode of the cipher. <c>ctr</c> and <c>ecb</c> are there because QEMU has them: <c>ctr</c> shows what changes in a sector that is written twice, <c>ecb</c> which blocks are
    /// equal.
    /// </summary>
    [Parameter]
    [ValidateSet("xts", "cbc", "ctr", "ecb")]
    public string CipherMode { get; set; } = LuksOptions.Default.CipherMode;

    /// <summary>
    /// How a sector's number becomes its initialisation vector: <c>plain64</c>, <c>plain</c>, which repeats itself every 2 TiB, or <c>essiv</c>, which belongs to the mode
    /// <c>cbc</c>.
    /// </summary>
    [Parameter]
    [ValidateSet("plain64", "plain", "essiv")]
    public string IvGeneratorAlgorithm { get; set; } = LuksOptions.Default.IvGeneratorAlgorithm;

    /// <summary>The hash of the generator <c>essiv</c>; others have none.</summary>
    /// <value>sha256</value>
    [Parameter]
    [ValidateSet("sha256", "md5")]
    public string? IvGeneratorHash { get; set; }

    /// <summary>The hash by which keys are derived from passphrases.</summary>
    [Parameter]
    [ValidateSet("sha256", "sha512", "sha384", "sha1", "md5")]
    public string HashAlgorithm { get; set; } = LuksOptions.Default.HashAlgorithm;

    /// <summary>
    /// How long it is to take to try a passphrase on a machine like this one, in milliseconds: the iterations of key derivation follow from it, 10,000 at least. Longer protects a weak
    /// passphrase better, and is waited for whenever the image is opened.
    /// </summary>
    [Parameter]
    [Alias("IterTime")]
    [ValidateRange(0, 3_600_000)]
    public int IterationTimeMilliseconds { get; set; } = Qcow2Layout.DefaultIterationTime;

    /// <summary>
    /// The passphrase of a new encrypted image, or of the existing one of <c>-NoCreate</c>. <c>-Passphrase</c> is that of the source.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? DestinationPassphrase { get; set; }

    /// <summary>The layout of a new file, out of the parameters that are about its format.</summary>
    private DiskCreateOptions LayoutOf(DiskFormat format, string path)
    {
        DiskLayout.RequireFitting(path, format, LayoutParameters.Where(MyInvocation.BoundParameters.ContainsKey), Qcow2Parameters);
        if (format != DiskImageFormat.Qcow2.Known())
        {
            return DiskLayout.Of(path, format, this, MyInvocation.BoundParameters.ContainsKey(nameof(ClusterSizeBytes)), Compress);
        }

        EnsureDataFileUsable(path);
        Qcow2CreateOptions layout = Layout();
        if (layout is { BackingFile: not null, BackingFormat: "raw" })
        {
            RequireFormat(ImageCreation.Beside(path, layout.BackingFile), "raw", "-BackingFormat says", Force);
        }

        return layout;
    }

    private Qcow2CreateOptions Layout()
    {
        Qcow2Layout.RequireWholeEncryption(Encryption, DestinationPassphrase is not null, "-DestinationPassphrase");
        if (BackingFile is not null && BackingFormat is null)
        {
            throw ImageCmdletException.Contradiction("-BackingFile needs -BackingFormat, qcow2 or raw for one: the format of a backing file is never guessed.");
        }

        Passphrase? source = Unseal(Passphrase);
        return Qcow2Layout.Of(this, Unseal(DestinationPassphrase)) with
        {
            BackingPassphrases = Unseal(BackingPassphrase) ?? (_ => source),
            BackingParentPaths = ParentPaths,
            DataFile = DestinationDataFile,
            DataFileRaw = DestinationDataFileRaw,
        };
    }

    private void EnsureDataFileUsable(string path)
    {
        if (DestinationDataFile is not null && ImageCreation.Beside(path, DestinationDataFile) is string data && !DestinationFile.PathComparer.Equals(data, path))
        {
            DestinationFile.EnsureOwnData(data, _written);
            DestinationFile.EnsureUsable(data, Force, "-DestinationDataFile");
        }
    }
}
