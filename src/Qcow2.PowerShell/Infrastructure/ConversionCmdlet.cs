using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that writes the disk of each image to a file of its own.</summary>
public abstract partial class ConversionCmdlet : DiskReadingCmdlet
{
    /// <summary>The most that one thread reads at once.</summary>
    private const int MaxParcelBytes = 2 << 20;

    private readonly HashSet<string> _written = new(DestinationFile.PathComparer);

    /// <summary>
    /// The file to write. Wildcards are not permitted. Its folder must exist; the file must not, unless <c>-Force</c> or
    /// <c>-NoCreate</c> is given. For several images from the pipeline, give a script block that makes a name for each out of <c>$_</c>.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string DestinationPath { get; set; } = "";

    /// <summary>
    /// The format to write. By default it follows from the name of the destination: <c>Qcow2</c> for names that end in <c>.qcow2</c> or
    /// <c>.qcow</c>, <c>Vhdx</c>, <c>Vhd</c>, <c>Vmdk</c> and <c>Vdi</c> for those that end so, and <c>Raw</c> for all others, except those of formats
    /// that are not written here, which are an error.
    /// </summary>
    /// <value>By the destination's name</value>
    [Parameter]
    public DiskImageFormat? DestinationFormat { get; set; }

    /// <summary>
    /// Compresses each cluster of a qcow2 image that gets smaller by it. What a guest writes later is not compressed. Not with
    /// <c>-Encryption</c> or <c>-DestinationDataFile</c>. Of VMDK it makes a <c>StreamOptimized</c> one, which is compressed in any case.
    /// </summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>
    /// How hard the compressor tries: 1 to 9 for deflate, 1 to 22 for zstd. Higher levels take much longer and save a little more. By default
    /// it is the level that qemu-img uses: 6 for deflate, 3 for zstd.
    /// </summary>
    /// <value>6 for deflate, 3 for zstd</value>
    [Parameter]
    [ValidateRange(1, 22)]
    public int? CompressionLevel { get; set; }

    /// <summary>
    /// Blocks of this many zero bytes are not written: they become holes of a raw file, and in a qcow2 image, whole clusters of them take no
    /// place. A power of two from 512 bytes to 2 MiB. <c>0</c> writes everything, so that the new file has no holes. What is shared with the source
    /// (<c>-NoReflink</c>) is not looked at; with <c>0</c>, nothing is.
    /// </summary>
    [Parameter]
    [Alias("S")]
    [ByteSize]
    public int SparseSize { get; set; } = ConversionOptions.Default.SparseSize;

    /// <summary>
    /// Copies everything. By default, on a file system that can (XFS, Btrfs, bcachefs, ReFS), the copy and its source share what both have (reflinks):
    /// that takes no time and no space, and each of them keeps to itself what is written to it later. <c>-Verbose</c> says how much is shared, and why no
    /// more is. Zeros that the source stores as data are shared, too, and not left out.
    /// </summary>
    [Parameter]
    public SwitchParameter NoReflink { get; set; }

    /// <summary>
    /// Goes on where the source cannot be read: those parts become zeros, and a warning names each of them. By default the first error ends
    /// the conversion, and nothing is left behind. An image whose L1 table does not end in the file, or whose header is damaged in what only
    /// writers need, is opened, too. A disk in an OVA that does not have the sum of its manifest is copied, with a warning.
    /// </summary>
    [Parameter]
    public SwitchParameter Salvage { get; set; }

    /// <summary>
    /// Most bytes a second that are copied, on the average, so that others get their share of the disk: <c>50MB</c>, for one. Holes, and what is
    /// shared with the source, do not count. By default there is no limit.
    /// </summary>
    /// <value>No limit</value>
    [Parameter]
    [ByteSize]
    [ValidateRange(1, long.MaxValue)]
    public long RateLimit { get; set; }

    /// <summary>
    /// How many threads read, decompress, compress and write at the same time; 1 to 64. The default is the number of processors, but at most
    /// 8. What is written does not depend on it.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ConversionOptions.Default.ThrottleLimit;

    /// <summary>
    /// Writes into a disk that exists, such as an image that <c>New-Qcow2Image</c> made, or a device, in place of a new file. It must be as
    /// large as the source; what lies past that stays as it is. When the command fails or is stopped, a part of the disk has been
    /// overwritten. The format is <c>-DestinationFormat</c>, or what the file is seen to be. A device that the host itself uses (mounted, swap,
    /// LVM, RAID) is refused on Linux.
    /// </summary>
    [Parameter]
    public SwitchParameter NoCreate { get; set; }

    /// <summary>
    /// Says that the disk of <c>-NoCreate</c> reads as zeros, so that zeros need not be written. If that is not so, what was there shows in
    /// the gaps.
    /// </summary>
    [Parameter]
    public SwitchParameter TargetIsZero { get; set; }

    /// <summary>
    /// Replaces the destination if it exists. The old file stays as it is until the new one is complete. An image that another program has
    /// open for writing is not replaced. It also takes a <c>-BackingFile</c> that begins as an image for the raw disk that
    /// <c>-BackingFormat</c> says it is, and leaves out the warning that the disk may get full.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the new image as a <c>Qcow2ImageInfo</c>; of a raw file its Format is <c>raw</c>. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>How the cmdlet and its destination are typed, for an error's advice.</summary>
    private protected string Usage => $"{MyInvocation.MyCommand.Name} -DestinationPath";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        Refuse(TargetIsZero && !NoCreate, "-TargetIsZero is said of a disk that exists; it goes with -NoCreate.", nameof(TargetIsZero));
        Refuse(NoCreate && Force, "-NoCreate writes into a disk that exists, and -Force replaces it; give one of them.", nameof(NoCreate));
        string? layout = LayoutParameters.FirstOrDefault(MyInvocation.BoundParameters.ContainsKey);
        Refuse(NoCreate && layout is not null, $"-{layout} says how a new image is made; with -NoCreate none is.", layout);
    }

    /// <inheritdoc/>
    private protected override string TemporaryFolder
        => !NoCreate && System.IO.Path.GetDirectoryName(Resolver.Literal(DestinationPath)) is string folder && Directory.Exists(folder) ? folder : base.TemporaryFolder;

    /// <inheritdoc/>
    private protected override PackedUse Use => IsPreview ? PackedUse.Header
        : Salvage ? PackedUse.AtRandom // Damage of the file that it is packed in is to be found before anything is saved.
        : NoCreate ? PackedUse.InOrder // What is written there stays written.
        : PackedUse.InOrderOrAgain;

    /// <inheritdoc/>
    private protected override ManifestUse Manifest => IsPreview ? ManifestUse.Ignored : Salvage ? ManifestUse.Warned : ManifestUse.Required;

    private bool IsPreview => MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? preview) && preview is SwitchParameter { IsPresent: true };

    /// <inheritdoc/>
    /// <remarks>There are two parcels for each thread, and one.</remarks>
    private protected override long ReadWindow => ((2L * ThrottleLimit) + 1) * MaxParcelBytes;

    /// <inheritdoc/>
    private protected override void Preview(IReadOnlyList<ImageInput> images)
    {
        if (images.Count > 1)
        {
            ThrowTerminatingError(ErrorRecords.From(DestinationFile.NotUnique(DestinationPath, images.Count, Usage), DestinationPath));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image) => Convert([SourceFor(image)]);

    /// <summary>What is read of an image.</summary>
    private protected virtual DiskSource SourceFor(ImageInput image)
        => new(image.Location, DiskImageFormat.Qcow2.Known(), OptionsFor(image.Path), SnapshotOf(image));

    /// <summary>What the question of -WhatIf and -Confirm adds.</summary>
    private protected virtual string Afterwards => "";

    /// <summary>Whether the sources are deleted when the new file is complete.</summary>
    private protected virtual bool DeletesSources => false;

    /// <summary>Converts disks into the one file, unless the user does not want it.</summary>
    private protected void Convert(IReadOnlyList<DiskSource> sources)
    {
        ConversionDestination destination = Destination();
        long size = sources.Sum(source => source.ReadSize());
        string snapshot = sources[0].Snapshot is SnapshotSelector selector ? $"snapshot '{DisplayText.Printable(selector.ToString())}' " : "";
        string others = sources.Count == 1 ? "" : $"and {sources.Count - 1} more ";
        string how = Compress ? ", compressed" : "";
        if (!ShouldProcess(sources[0].Path, $"Convert {snapshot}{others}to {destination.Description} '{destination.Path}' ({DisplayText.Size(size)}{how}){Afterwards}"))
        {
            return;
        }

        ConversionResult result = RunOrAgain(sources, destination, ref size);
        _written.Add(DestinationFile.KeyOf(destination.Path));
        if (destination is NewDisk { Layout: Qcow2CreateOptions { DataFile: string data } } && ImageCreation.Beside(destination.Path, data) is string dataPath)
        {
            _written.Add(DestinationFile.KeyOf(dataPath)); // The next image would take the data of this one away.
        }

        foreach (DiskRange range in result.Unreadable)
        {
            WriteWarning($"{sources[0].Path}: {DisplayText.SizeAndBytes(range.Length)} at 0x{range.Offset:x} of the disk could not be read, and are zeros in {destination.Path}.");
        }

        foreach (string bitmap in result.SkippedBitmaps)
        {
            WriteWarning($"{sources[0].Path}: the bitmap '{DisplayText.Printable(bitmap)}' was never saved, says nothing any more and was not copied.");
        }

        foreach (string line in DisplayText.Sharing(destination.Path, result.SharedBytes, result.SharingRefusal))
        {
            WriteVerbose(line);
        }

        if (destination is NewDisk { Layout: DiskCreateOptions layout } && layout.DiskSizeFor(size) is long rounded && rounded != size)
        {
            WriteVerbose(DisplayText.RoundedSize(destination.Path, size, rounded));
        }

        if (destination is NewDisk made)
        {
            foreach (string warning in HyperVWarnings.Of(made.Path, made.Layout, size))
            {
                WriteWarning(warning);
            }
        }

        if (PassThru)
        {
            WriteObject(destination.Format.ReadInformation(destination.Path));
        }
    }

    /// <summary>Does the work, and once more for each source that turns out to have another size than it seemed to have: nothing is there of what was made until then.</summary>
    private ConversionResult RunOrAgain(IReadOnlyList<DiskSource> sources, ConversionDestination destination, ref long size)
    {
        while (true)
        {
            long known = size;
            try
            {
                if (!Compress) // How much that saves is known at the end.
                {
                    EnsureFits(() => SpaceNeed.Of(sources, destination, known, writesHoles: SparseSize == 0));
                }

                if (!Force)
                {
                    WarnOfFullDisk(() => SpaceNeed.Of(sources, destination, known, writesHoles: SparseSize == 0));
                }

                return Run(sources, destination);
            }
            catch (Exception e) when (e is not OperationCanceledException && sources.Any(source => source.Location.IsToBePreparedAgain))
            {
                // Nothing of it is there.
            }

            foreach (DiskSource source in sources.Where(source => source.Location.IsToBePreparedAgain))
            {
                WriteVerbose($"{source.Path}: there is more in it than the size at its end says, so that it is unpacked to count, and read again.");
                Ready(new ImageInput(source.Location));
            }

            size = sources.Sum(source => source.ReadSize());
        }
    }

    /// <summary>Does the work, on other threads than this one.</summary>
    private protected virtual ConversionResult Run(IReadOnlyList<DiskSource> sources, ConversionDestination destination)
    {
        var conversion = new DiskConversion(sources, destination, Options(), DeletesSources);
        ConversionResult result = conversion.Run(WriteProgress, StopToken);
        foreach (string problem in conversion.PartitionProblems)
        {
            WriteWarning($"{destination.Path}: {problem}");
        }

        return result;
    }

    private protected virtual ConversionOptions Options() => new()
    {
        ThrottleLimit = ThrottleLimit,
        SparseSize = SparseSize,
        Compress = Compress,
        CompressionLevel = CompressionLevel,
        RateLimit = RateLimit,
        Salvage = Salvage,
        ShareExtents = !NoReflink,
    };

    /// <inheritdoc/>
    private protected override string? ParameterFor(string usual, string? path)
        => path is null || !DestinationFile.PathComparer.Equals(path, Resolver.Literal(DestinationPath)) ? base.ParameterFor(usual, path)
            : usual == nameof(Passphrase) ? nameof(DestinationPassphrase) : null;

    private ConversionDestination Destination()
    {
        string path = Resolver.Literal(DestinationPath);
        if (NoCreate)
        {
            return Existing(path);
        }

        DiskFormat format = DestinationFormat?.Known() ?? DestinationFile.FormatOf(path);
        DestinationFile.EnsureUsable(path, Force, _written, "-DestinationPath", Usage);
        return new NewDisk(path, LayoutOf(format, path), Force);
    }

    private ExistingDisk Existing(string path)
    {
        if (_written.Contains(DestinationFile.KeyOf(path)))
        {
            throw DestinationFile.WrittenAlready(path, Usage);
        }

        DestinationFile.EnsureDisk(path, "-DestinationPath");

        DiskFormat format = DiskSource.FormatOf(new LocalImage(path), DestinationFormat?.Known(), "-DestinationFormat");
        return new ExistingDisk(path, format, Qcow2OpenOptions.Sequential with { Writable = true, Passphrase = Unseal(DestinationPassphrase), BackingPassphrases = Unseal(BackingPassphrase) }, TargetIsZero);
    }
}
