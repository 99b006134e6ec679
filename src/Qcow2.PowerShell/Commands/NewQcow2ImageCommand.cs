using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Creates a disk image: an empty disk, QCOW2 or of another format, or a QCOW2 overlay of another image.</summary>
/// <remarks>
/// <para>
/// New-Qcow2Image makes an image with QEMU's defaults, as <c>qemu-img create -f qcow2</c> does: version 3, clusters of 64 KiB,
/// refcounts of 16 bits, nothing allocated in advance. A new disk reads as zeros, and its file is small: it grows as the disk
/// is written.
/// </para>
/// <para>
/// A name that ends in <c>.vhdx</c>, <c>.vhd</c>, <c>.vmdk</c>, <c>.vdi</c> or <c>.raw</c> makes an empty disk of that format, as <c>-Format</c> does: laid out
/// as Windows, VMware and VirtualBox do it, and with a disk of exactly the size that was asked for.
/// </para>
/// <para>
/// With <c>-BackingFile</c> the new image is an overlay: it shows what is in the other file, and keeps what is written to it for
/// itself. The other file is not changed, and must not be changed as long as there is an overlay of it. The format of the
/// backing file is recorded and never guessed, so <c>-BackingFormat</c> goes with it.
/// </para>
/// <para>
/// The names of a backing file and of a data file are stored as they are given. A relative one starts from the folder of the
/// new image, wherever the current location is, so that the files can be moved together.
/// </para>
/// <para>
/// <c>-KeepDataFile</c> makes an image over a raw disk that exists, as QEMU 10.1 does it: only tables are written, in no more time than they take, and
/// the disk has at once what a qcow2 image has, bitmaps for one, while its data stays where it is. The file of <c>-DataFile</c> is neither replaced nor
/// written, with <c>-Force</c> neither, and whatever goes wrong; it must not be in use.
/// </para>
/// <para>
/// The image is written under a temporary name and moved into place when it is complete. With <c>-Force</c> a file that exists
/// stays as it is until then; when the command fails or is stopped, nothing is left behind.
/// </para>
/// <para>
/// A block device, pipe, socket or folder is never replaced, with <c>-Force</c> neither. Where the destination is a symbolic link, the file that it leads to is made or
/// replaced, in its own folder, and the link stays. A file that replaces another has its owner, group, mode, access list, extended attributes and labels; what cannot be kept is an
/// error before anything is done.
/// </para>
/// <para>
/// With <c>-Encryption Luks</c> the disk is encrypted as QEMU does it by default: LUKS version 1, AES-256 in XTS mode. Key
/// derivation is made to take about two seconds on this machine, and so does this command. The tables, the names of snapshots
/// and the size of the disk are not encrypted. Who loses the passphrase loses the disk.
/// </para>
/// </remarks>
/// <example>
/// <code>New-Qcow2Image web02.qcow2 40GB</code>
/// <para>Creates an empty disk of 40 GiB. The file takes about 200 KiB.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image /vm/web02/disk.qcow2 -BackingFile ../base/debian.qcow2 -BackingFormat qcow2</code>
/// <para>Creates an overlay of <c>/vm/base/debian.qcow2</c>, with a disk of the same size.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image db01.qcow2 500GB -Preallocation Metadata -ClusterSizeBytes 2MB</code>
/// <para>Creates a disk whose tables are complete, so that the guest's first writes are as fast as all others.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image scratch.qcow2 1TB -ExtendedL2 -ClusterSizeBytes 128KB -CompressionType Zstd -LazyRefcounts</code>
/// <para>Creates a disk with subclusters of 4 KiB, whose clusters will be compressed with zstd.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image vault.qcow2 20GB -Encryption Luks -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Creates an encrypted disk.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image db02.qcow2 100GB -DataFile db02.raw -DataFileRaw -Force</code>
/// <para>Creates a disk whose data lies in a raw image beside it, and replaces both files if they exist.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image db03.qcow2 -DataFile db03.raw -DataFileRaw -KeepDataFile</code>
/// <para>Creates an image over a raw disk that exists, without copying it: its size is the disk, and its content stays as it is.</para>
/// </example>
/// <example>
/// <code>Import-Csv disks.csv | New-Qcow2Image -WhatIf</code>
/// <para>Says which images would be made out of a table with the columns Path and Size.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image data.vhdx 500GB</code>
/// <para>Creates an empty dynamic disk for Hyper-V, on any system.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image data.vhd 128GB -AzureReady</code>
/// <para>Creates an empty fixed VHD that can be uploaded to Azure.</para>
/// </example>
/// <example>
/// <code>1..5 | ForEach-Object { New-Qcow2Image "node$_.qcow2" -BackingFile base.raw -BackingFormat raw -SizeBytes 40GB }</code>
/// <para>Creates five overlays of a raw disk, each larger than that disk is.</para>
/// </example>
/// <example>
/// <code>New-Qcow2Image vault.qcow2 20GB -Encryption Luks -Passphrase $secure -CipherAlgorithm aes-128 -CipherMode cbc -IvGeneratorAlgorithm essiv -HashAlgorithm sha512 -IterationTimeMilliseconds 5000</code>
/// <para>Creates one with another cipher than AES-256 in XTS mode, and makes each try of a passphrase take five seconds.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="ResizeQcow2ImageCommand"/>
/// <seealso cref="WriteQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.New, "Qcow2Image", DefaultParameterSetName = DiskSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [DiskSet, OverlaySet, KeptDataSet])]
public sealed class NewQcow2ImageCommand : Qcow2Cmdlet, IQcow2FileLayout, IDiskLayout
{
    private static readonly string[] Qcow2Parameters =
        [.. Qcow2Layout.FileNames, nameof(BackingFormat), nameof(NoBackingFileCheck), nameof(DataFile), nameof(DataFileRaw), nameof(KeepDataFile), nameof(Passphrase)];

    private static readonly string[] LayoutParameters = [.. Qcow2Parameters.Union(DiskLayout.Names)];

    internal const string DiskSet = "Disk";
    internal const string OverlaySet = "Overlay";
    internal const string KeptDataSet = "KeptData";

    private readonly HashSet<string> _dataFiles = new(DestinationFile.PathComparer);
    private PathResolver? _resolver;

    /// <summary>
    /// The file to make. No character is a wildcard. A relative path starts from the current location. Its folder must
    /// exist; the file must not, unless <c>-Force</c> is given.
    /// </summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [PathText]
    public string Path { get; set; } = "";

    /// <summary>
    /// Size of the disk as a guest sees it, in bytes or with a binary unit: <c>40GB</c>, <c>"1.5T"</c>. Of an overlay it is that of
    /// the backing file by default; it may be larger or smaller. With <c>-KeepDataFile</c> it is that of the data file, and no other is possible. A number below 4096 without a unit
    /// must be a multiple of 512: <c>40</c> is an error, because <c>40GB</c> is meant, and <c>40B</c> says that 40 bytes are. Numbers are
    /// written as in scripts, whatever the culture: with a point before a fraction, and nothing between thousands.
    /// A disk has whole sectors of 512 bytes: other sizes are rounded up, which <c>-Verbose</c> says, because QEMU would not show the last bytes.
    /// </summary>
    [Parameter(ParameterSetName = DiskSet, Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = OverlaySet, Position = 1, ValueFromPipelineByPropertyName = true)]
    [Parameter(ParameterSetName = KeptDataSet, Position = 1, ValueFromPipelineByPropertyName = true)]
    [Alias("Size")]
    [ByteSize(Kind = ByteSizeKind.Disk)]
    [ValidateRange(0, long.MaxValue)]
    public long SizeBytes { get; set; }

    /// <summary>
    /// The file that the new image is layered on, as its name will be stored: a relative name starts from the folder of the
    /// new image, not from the current location. The file must be there, unless <c>-NoBackingFileCheck</c> is given.
    /// </summary>
    [Parameter(ParameterSetName = OverlaySet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("ParentPath")]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? BackingFile { get; set; }

    /// <summary>
    /// The format of the backing file: <c>qcow2</c>, <c>raw</c>, <c>vhd</c> (QEMU's <c>vpc</c>), <c>vhdx</c>, <c>vmdk</c>, <c>vdi</c>, <c>qcow</c>, <c>qed</c> or <c>parallels</c>. It is recorded in the new image. It is never guessed, because
    /// a guest that writes a raw disk could make it look like another format. <c>raw</c> for a file that begins as an image is an error,
    /// unless <c>-Force</c> is given, too.
    /// </summary>
    [Parameter(ParameterSetName = OverlaySet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [ValidateSet("qcow2", "raw", "vhd", "vpc", "vhdx", "vmdk", "vdi", "qcow", "qed", "parallels")]
    public string? BackingFormat { get; set; }

    /// <summary>
    /// Does not look at the backing file, which may be missing then, and whose size is not known: <c>-SizeBytes</c> is needed.
    /// </summary>
    [Parameter(ParameterSetName = OverlaySet)]
    public SwitchParameter NoBackingFileCheck { get; set; }

    /// <summary>
    /// The format to make. By default it follows from the name of the file: <c>Vhdx</c>, <c>Vhd</c>, <c>Vmdk</c>, <c>Vdi</c> or <c>Raw</c> for
    /// names that end so, and <c>Qcow2</c> for all others.
    /// </summary>
    /// <value>By the file's name</value>
    [Parameter]
    [Alias("DestinationFormat")]
    public DiskImageFormat? Format { get; set; }

    /// <summary>
    /// How a VHD, VHDX, VMDK or VDI image keeps its disk: <c>Dynamic</c>, which is the default, or <c>Fixed</c>; of VMDK also <c>StreamOptimized</c>
    /// and <c>Vmfs</c>. <c>MonolithicSparse</c> and <c>MonolithicFlat</c> are VMware's words for dynamic and fixed.
    /// </summary>
    /// <value>Dynamic</value>
    [Parameter]
    [Alias("DestinationType", "VHDType")]
    public DiskImageType? Type { get; set; }

    /// <summary>
    /// Bytes in a cluster, the unit of allocation: a power of two, 512 bytes to 2 MiB. Larger ones need smaller tables, smaller
    /// ones waste less space. With <c>-ExtendedL2</c>, 16 KiB or more. Or bytes in a block of a VHDX image, 1 to 256 MiB (32 MiB by default), or of
    /// a dynamic VHD, 512 KiB or 2 MiB (2 MiB by default).
    /// </summary>
    [Parameter]
    [Alias("BlockSizeBytes", "ClusterSize")]
    [ByteSize]
    [ArgumentCompleter(typeof(ClusterSizeCompleter))]
    public int ClusterSizeBytes { get; set; } = Qcow2CreateOptions.Default.ClusterSize;

    /// <summary>Bytes in a sector of a VHDX image's disk, as a guest sees it: 512 or 4096.</summary>
    [Parameter]
    [ValidateSet("512", "4096")]
    public int LogicalSectorSizeBytes { get; set; } = 512;

    /// <summary>Bytes in a sector of the device that a VHDX image claims to be: 4096, as Windows has it, or 512.</summary>
    [Parameter]
    [ValidateSet("512", "4096")]
    public int PhysicalSectorSizeBytes { get; set; } = 4096;

    /// <summary>Makes a VHD that Azure takes: fixed, its disk rounded up to a whole number of MiB, and to 20 MiB at least.</summary>
    [Parameter]
    public SwitchParameter AzureReady { get; set; }

    /// <summary>The adapter that a VMDK image is made for: <c>LsiLogic</c>, which stands for the newer ones, too, <c>Ide</c> or <c>BusLogic</c>.</summary>
    [Parameter]
    public VmdkAdapterType AdapterType { get; set; }

    /// <summary>
    /// What is allocated in advance. With a backing file, which it would hide, anything but <c>Off</c> takes <c>-ExtendedL2</c>, too. <c>Full</c>
    /// writes the whole disk and takes its time. A raw disk has no tables, so that it takes <c>Falloc</c> and <c>Full</c>.
    /// </summary>
    [Parameter]
    public Preallocation Preallocation { get; set; }

    /// <summary>How clusters will be compressed by those who write compressed ones. <c>Zstd</c> is faster, and needs version 3.</summary>
    [Parameter]
    public CompressionType CompressionType { get; set; }

    /// <summary>
    /// Version of the format. 2 is for QEMU before 1.1 and lacks most of what the other parameters ask for.
    /// </summary>
    [Parameter]
    [ValidateSet("2", "3")]
    public int Version { get; set; } = Qcow2CreateOptions.Default.Version;

    /// <summary>Width of a reference count, in bits. In version 2 it is 16.</summary>
    [Parameter]
    [ValidateSet("1", "2", "4", "8", "16", "32", "64")]
    public int RefcountBits { get; set; } = Qcow2CreateOptions.Default.RefcountBits;

    /// <summary>
    /// Lets QEMU postpone updates of reference counts, which makes allocation faster and a repair necessary after a crash.
    /// Version 3 only.
    /// </summary>
    [Parameter]
    public SwitchParameter LazyRefcounts { get; set; }

    /// <summary>
    /// Divides each cluster into 32 subclusters that are allocated one by one: small writes to large clusters cost less.
    /// Version 3 and clusters of 16 KiB or more.
    /// </summary>
    [Parameter]
    public SwitchParameter ExtendedL2 { get; set; }

    /// <summary>
    /// An external data file to make, which holds the data, while the image holds the tables. Its name is stored as it is given:
    /// a relative one starts from the folder of the new image. Version 3 only. With <c>-KeepDataFile</c> the file exists.
    /// </summary>
    [Parameter(ParameterSetName = DiskSet)]
    [Parameter(ParameterSetName = OverlaySet)]
    [Parameter(ParameterSetName = KeptDataSet, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DataFile { get; set; }

    /// <summary>
    /// Keeps the external data file a raw image of the disk, so that programs which know raw disks only can read it. Not with a
    /// backing file.
    /// </summary>
    [Parameter]
    public SwitchParameter DataFileRaw { get; set; }

    /// <summary>
    /// Takes the file of <c>-DataFile</c> as it is: what it holds becomes the disk. It goes with <c>-DataFileRaw</c>, or with <c>-Preallocation Metadata</c>, because a guest would not
    /// see the data without tables. It may be a block device that the host does not use. A file that begins as an image is an error, unless <c>-Force</c> is given, too.
    /// </summary>
    [Parameter(ParameterSetName = KeptDataSet, Mandatory = true)]
    public SwitchParameter KeepDataFile { get; set; }

    /// <summary>
    /// How the disk is encrypted. <c>Luks</c> needs <c>-Passphrase</c>, and goes with everything but <c>-DataFileRaw</c>. New images are
    /// not encrypted with the legacy method <c>Aes</c>, which is not secure: it is an error here.
    /// </summary>
    [Parameter]
    public EncryptionMethod Encryption { get; set; }

    /// <summary>The cipher of a new image that is encrypted with LUKS, and the bits of its key. <c>aes-192</c> goes with the mode <c>xts</c> only.</summary>
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
    /// The passphrase of the new image, which must not be empty. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// Replaces the file, and the data file unless it is to be kept, if they exist. The old ones stay as they are until the new ones are complete. An
    /// image that another program has open for writing is not replaced. It also takes a backing file, or a data file that is kept, that begins as an image for the raw
    /// disk that it is said to be, and leaves out the warning that the disk may get full.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    DiskImageType? IDiskLayout.DestinationType => Type;

    private PathResolver Resolver => _resolver ??= new PathResolver(SessionState.Path);

    /// <inheritdoc/>
    protected override void ProcessRecord() => ForFile(Path, () =>
    {
        string path = Resolver.Literal(Path);
        ForFile(path, () => Create(path));
    });

    private void Create(string path)
    {
        DestinationFile.EnsureUsable(path, Force, "-Path");
        if (DataFile is not null && ImageCreation.Beside(path, DataFile) is string data && !DestinationFile.PathComparer.Equals(data, path))
        {
            DestinationFile.EnsureOwnData(data, _dataFiles);
            EnsureDataUsable(data);
        }

        DestinationFile.EnsureOwnData(path, _dataFiles);

        Qcow2Layout.RequireWholeEncryption(Encryption, Passphrase is not null, "-Passphrase");
        if (BackingFile is not null && !NoBackingFileCheck && string.Equals(BackingFormat, "raw", StringComparison.OrdinalIgnoreCase))
        {
            RequireFormat(ImageCreation.Beside(path, BackingFile), "raw", "-BackingFormat says", Force);
        }

        ImageCreation.EnsureNotInUse(path);
        long? size = MyInvocation.BoundParameters.ContainsKey(nameof(SizeBytes)) ? SizeBytes : null;
        DiskFormat format = Format?.Known() ?? FormatOf(path);
        DiskLayout.RequireFitting(path, format, LayoutParameters.Where(MyInvocation.BoundParameters.ContainsKey), Qcow2Parameters);
        if (!ShouldProcess(path, Description(format, size)))
        {
            return;
        }

        DiskCreateOptions options = OptionsFor(format, path);
        EnsureFits(() => SpaceNeed.Of(path, size, options));
        if (!Force)
        {
            WarnOfFullDisk(() => SpaceNeed.Of(path, size, options));
        }

        new ImageCreation(path, size, options, Force).Run(WriteProgress, StopToken);
        if (DataFile is not null && ImageCreation.Beside(path, DataFile) is string made)
        {
            _dataFiles.Add(DestinationFile.KeyOf(made)); // The next image would take the data of this one away.
        }

        Qcow2ImageInfo image = format.ReadInformation(path);
        foreach (string warning in HyperVWarnings.Of(path, options, image.Size))
        {
            WriteWarning(warning);
        }

        if ((size ?? (KeepDataFile ? ImageCreation.SizeOfData(image) : ImageCreation.SizeOfBacking(image))) is long asked && asked != image.Size)
        {
            WriteVerbose(DisplayText.RoundedSize(path, asked, image.Size));
        }

        WriteObject(image);
    }

    private void EnsureDataUsable(string path)
    {
        if (!KeepDataFile)
        {
            DestinationFile.EnsureUsable(path, Force, "-DataFile");
            return;
        }

        DestinationFile.EnsureDisk(path, "-DataFile", "-KeepDataFile takes a file that exists.");
        RequireFormat(path, "raw", "-KeepDataFile says", Force);
    }

    /// <summary>The format that the name stands for: a name that stands for none is that of an image as the cmdlet's own name has it.</summary>
    private DiskFormat FormatOf(string path)
        => BackingFile is not null || System.IO.Path.GetExtension(path).Length == 0 ? DiskImageFormat.Qcow2.Known() : DestinationFile.NamedFormatOf(path, "-" + nameof(Format)) ?? DiskImageFormat.Qcow2.Known();

    private DiskCreateOptions OptionsFor(DiskFormat format, string path)
    {
        if (format != DiskImageFormat.Qcow2.Known())
        {
            return DiskLayout.Of(path, format, this, MyInvocation.BoundParameters.ContainsKey(nameof(ClusterSizeBytes)));
        }

        return Qcow2Layout.Of(this, Unseal(Passphrase)) with { CheckBackingFile = !NoBackingFileCheck, DataFile = DataFile, DataFileRaw = DataFileRaw, KeepDataFile = KeepDataFile };
    }

    /// <inheritdoc/>
    /// <remarks>All of them are about the new image, and no error of what it is layered on.</remarks>
    private protected override string? ParameterFor(string usual, string? path) => null;

    private string Description(DiskFormat format, long? size)
    {
        if (format != DiskImageFormat.Qcow2.Known())
        {
            return $"Create {format.Description} ({DisplayText.Size(size)})";
        }

        string kind = Encryption == EncryptionMethod.None ? "" : "encrypted ";
        string what = KeepDataFile ? $"Create a qcow2 image over the existing data file '{DisplayText.Printable(DataFile!)}', which is kept" : BackingFile is null ? $"Create {(kind.Length == 0 ? "a" : "an")} {kind}qcow2 image" : $"Create an {kind}overlay of '{DisplayText.Printable(BackingFile)}'";
        return size is null ? what : $"{what} ({DisplayText.Size(size)})";
    }
}
