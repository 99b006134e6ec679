using System.Globalization;
using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Says how much space a new disk image would take, before it is made.</summary>
/// <remarks>
/// <para>
/// Measure-Qcow2Image gives the numbers of <c>qemu-img measure</c>: <c>RequiredBytes</c> is what a new image needs for the data that
/// the source holds now, <c>FullyAllocatedBytes</c> what it takes once a guest has written all of its disk, and <c>BitmapsBytes</c> what
/// the source's persistent bitmaps add if they are copied. With <c>-SizeBytes</c> it is about a new and empty disk.
/// </para>
/// <para>
/// Only tables are read and holes looked for, so that a source of many terabytes takes a moment, and an encrypted one needs no
/// passphrase. The source is opened without locks; if another program has it open for writing, a warning says so.
/// </para>
/// <para>
/// The numbers are upper bounds. Compression saves space, and so do zeros among the data, which only reading would find. An external
/// data file is counted together with its image. For an overlay the answer is <c>FullyAllocatedBytes</c>, because nobody knows how
/// much of the source its backing file has. Of a raw image, holes are not deducted. One thing is not counted: while an image with
/// small clusters grows, its refcount table may move and leave gaps that are smaller than the table, less than a percent of the whole.
/// </para>
/// <para>
/// A source is an image in QCOW2 or another format that is read here or a raw disk. A file without the marks of these formats is taken for a raw disk only if its name ends in
/// <c>.raw</c>, <c>.img</c>, <c>.iso</c>, <c>.dd</c> or <c>.bin</c>; for any other say <c>-SourceFormat</c>. What is plainly something
/// else, an archive or a DMG image, is refused whatever its name.
/// </para>
/// </remarks>
/// <example>
/// <code>Measure-Qcow2Image web01.raw</code>
/// <para>How large a QCOW2 image of a raw disk would be.</para>
/// </example>
/// <example>
/// <code>Measure-Qcow2Image -SizeBytes 2TB -Preallocation Metadata -ClusterSizeBytes 2MB</code>
/// <para>How large a new image of 2 TiB with complete tables would be, empty and full.</para>
/// </example>
/// <example>
/// <code>$needed = (Get-ChildItem *.qcow2 | Measure-Qcow2Image -DestinationFormat Raw | Measure-Object RequiredBytes -Sum).Sum</code>
/// <para>How many bytes all images of a folder have as raw disks, holes included.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 | Measure-Qcow2Image | Format-Table Path, Size, RequiredBytes</code>
/// <para>How large an image of each snapshot's disk would be.</para>
/// </example>
/// <example>
/// <code>if ((Measure-Qcow2Image web01.qcow2 -Encryption Luks).RequiredBytes -gt (Get-PSDrive backup).Free) { throw 'Too large.' }</code>
/// <para>Looks for room before an encrypted copy is made.</para>
/// </example>
/// <seealso cref="NewQcow2ImageCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
/// <seealso cref="GetQcow2ExtentCommand"/>
[Cmdlet(VerbsDiagnostic.Measure, "Qcow2Image", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2MeasureResult), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet, SizeSet])]
public sealed class MeasureQcow2ImageCommand : DiskCmdlet, IQcow2Layout, IDiskLayout
{
    internal const string SizeSet = "Size";

    private static readonly string[] SourceParameters =
        [nameof(SnapshotName), nameof(Id), nameof(DataFile), nameof(BackingFormat), nameof(ReferencePolicy), nameof(ConfineTo)];

    private static readonly string[] Qcow2Parameters = [.. Qcow2Layout.MeasuredNames, nameof(Preallocation)];

    private static readonly string[] LayoutParameters = [.. Qcow2Parameters.Union(DiskLayout.Names)];

    /// <summary>A size that every format can have, by which options that contradict each other are found before any source is looked at.</summary>
    private const long AnySize = 1 << 20;

    private DiskCreateOptions _layout = RawCreateOptions.Default;

    /// <summary>
    /// Size of a new and empty disk, in bytes or with a binary unit: <c>40GB</c>, <c>"1.5T"</c>. It takes the place of a source.
    /// </summary>
    [Parameter(ParameterSetName = SizeSet, Mandatory = true)]
    [Alias("Size")]
    [ByteSize(Kind = ByteSizeKind.Disk)]
    [ValidateRange(0, long.MaxValue)]
    public long SizeBytes { get; set; }

    /// <summary>
    /// The format of the source. By default the file says whether it is QCOW2, VHD, VHDX, VMDK, VDI, QCOW (version 1), QED or Parallels, and its name whether it is raw. Where the two contradict
    /// each other it has to be given, because a guest that writes a raw disk could make it look like an image.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [Parameter(ParameterSetName = UriSet)]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>The format of the image to be. A raw image has no layout, and takes the size of its disk.</summary>
    [Parameter]
    public DiskImageFormat DestinationFormat { get; set; } = DiskImageFormat.Qcow2;

    /// <summary>
    /// How a VHD, VHDX, VMDK or VDI image to be keeps its disk: <c>Dynamic</c>, which is the default, or <c>Fixed</c>; of VMDK also
    /// <c>StreamOptimized</c>, which is measured as if nothing could be compressed, and <c>Vmfs</c>.
    /// </summary>
    /// <value>Dynamic</value>
    [Parameter]
    [Alias("VHDType")]
    public DiskImageType? DestinationType { get; set; }

    /// <summary>
    /// Bytes in a cluster of the image to be, the unit of allocation: a power of two, 512 bytes to 2 MiB. With <c>-ExtendedL2</c>, 16 KiB
    /// or more. Or bytes in a block of a VHDX image, 1 to 256 MiB (32 MiB by default), or of a dynamic VHD, 512 KiB or 2 MiB (2 MiB by default).
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

    /// <summary>Measures a VHD that Azure takes: fixed, its disk rounded up to a whole number of MiB, and to 20 MiB at least.</summary>
    [Parameter]
    public SwitchParameter AzureReady { get; set; }

    /// <summary>The adapter that a VMDK image is made for: <c>LsiLogic</c>, which stands for the newer ones, too, <c>Ide</c> or <c>BusLogic</c>.</summary>
    [Parameter]
    public VmdkAdapterType AdapterType { get; set; }

    /// <summary>
    /// What is allocated in advance. With <c>Falloc</c> and <c>Full</c> the image takes all of its space from the start;
    /// <c>Metadata</c> changes nothing, because tables are counted as complete in any case.
    /// </summary>
    [Parameter]
    public Preallocation Preallocation { get; set; }

    /// <summary>Version of the format of the image to be. An image of version 2 cannot have bitmaps.</summary>
    [Parameter]
    [ValidateSet("2", "3")]
    public int Version { get; set; } = Qcow2CreateOptions.Default.Version;

    /// <summary>Width of a reference count, in bits. In version 2 it is 16.</summary>
    [Parameter]
    [ValidateSet("1", "2", "4", "8", "16", "32", "64")]
    public int RefcountBits { get; set; } = Qcow2CreateOptions.Default.RefcountBits;

    /// <summary>Divides each cluster into 32 subclusters, for which tables take twice the space. Version 3 and clusters of 16 KiB or more.</summary>
    [Parameter]
    public SwitchParameter ExtendedL2 { get; set; }

    /// <summary>How the image to be is encrypted. <c>Luks</c> adds a header of about 2 MiB; no passphrase is needed to measure it.</summary>
    [Parameter]
    public EncryptionMethod Encryption { get; set; }

    /// <summary>The cipher of an image that is to be encrypted with LUKS, and the bits of its key, by which its header is smaller or larger. <c>aes-192</c> goes with the mode <c>xts</c> only.</summary>
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

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (SizeBytesGiven && FirstBound(SourceParameters) is string source)
        {
            Refuse(ImageCmdletException.Contradiction($"-{source} goes with a source, not with -SizeBytes."), source);
        }

        DiskFormat format = DestinationFormat.Known();
        try
        {
            DiskLayout.RequireFitting("The image to be", format, LayoutParameters.Where(MyInvocation.BoundParameters.ContainsKey), Qcow2Parameters);
            _layout = format == DiskImageFormat.Qcow2.Known()
                ? Qcow2Layout.Of(this) with { Preallocation = Preallocation }
                : DiskLayout.Of("The image to be", format, this, MyInvocation.BoundParameters.ContainsKey(nameof(ClusterSizeBytes)));
            ImageMeasure.Of(AnySize, _layout);
        }
        catch (ImageCmdletException e)
        {
            Refuse(e, nameof(DestinationFormat));
        }
        catch (ArgumentException e)
        {
            Refuse(ImageCmdletException.Contradiction(ErrorMessage.Text(e)), nameof(DestinationFormat));
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (SizeBytesGiven)
        {
            ForFile(
                SizeBytes.ToString(CultureInfo.InvariantCulture),
                () => WriteObject(ImageMeasure.Of(SizeBytes, _layout)));
        }
    }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with { ForceShare = true };

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        var measuring = new ImageMeasuring(DiskSource.Of(image, SourceFormat, OptionsFor(image.Path), SnapshotOf(image)), _layout);
        Qcow2MeasureResult result = measuring.Run(StopToken);
        if (measuring.IsInUse)
        {
            WriteWarning($"{image.Path}: another program has this image open for writing, so that it may need more space by now.");
        }

        WriteObject(result);
    }

    private bool SizeBytesGiven => ParameterSetName == SizeSet;

    private string? FirstBound(string[] parameters) => parameters.FirstOrDefault(MyInvocation.BoundParameters.ContainsKey);

    private void Refuse(ImageCmdletException exception, string target) => ThrowTerminatingError(ErrorRecords.From(exception, target));
}
