using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Changes the backing file of QCOW2 images, or their version, reference counts and data file.</summary>
/// <remarks>
/// <para>
/// Set-Qcow2Image changes the backing file of an image, as <c>qemu-img rebase</c> does, or its layout, as <c>qemu-img amend</c> does: one of the two
/// in a call.
/// </para>
/// <para>
/// With another backing file (<c>-BackingFile</c>) the disk stays what it is: where the image has nothing of its own, the old and the new backing
/// file are compared, and what differs is copied into the image first. With no new backing file (<c>-BackingFile ''</c>) the image gets
/// all that it shows, and needs no other file afterwards.
/// </para>
/// <para>
/// With <c>-MetadataOnly</c> only the name in the image's header is changed, and no other file is opened. This mends an image whose
/// backing file was moved or renamed. If the new backing file does not hold what the old one held, the disk changes with it.
/// </para>
/// <para>
/// The name is changed last, by one write that the disk does wholly or not at all, when it has all the rest. So the command can be
/// stopped, and whatever goes wrong, the image shows what it showed, with its old backing file or with the new one.
/// </para>
/// <para>
/// The format of the backing file is recorded and never guessed, so <c>-BackingFormat</c> goes with it. An image that another
/// program has open is refused, and so is one with internal snapshots that show parts of the old backing file which the new one
/// does not have.
/// </para>
/// <para>
/// With <c>-Version</c>, <c>-RefcountBits</c>, <c>-LazyRefcounts</c>, <c>-DataFile</c> or <c>-DataFileRaw</c>, alone or together, the image is changed where
/// it lies. Its disk, snapshots and bitmaps stay what they are, and no other file is opened. What the image or another of these parameters
/// forbids is refused before anything is written. Each change is one write that the disk does wholly or not at all: whatever goes wrong, it was
/// made or it was not, and the image is sound.
/// </para>
/// </remarks>
/// <example>
/// <code>Set-Qcow2Image web01.qcow2 -BackingFile debian-13.qcow2 -BackingFormat qcow2</code>
/// <para>Layers an image on another file. Its disk stays what it is.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2Image web01.qcow2 -BackingFile ''</code>
/// <para>Copies into an image all that it shows of its backing file, and makes it independent of that.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem /vm/*.qcow2 | Set-Qcow2Image -BackingFile ../images/base.qcow2 -MetadataOnly</code>
/// <para>Says where the backing file of the images is now. Its format stays the one that they record.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2Image old.qcow2 -BackingFile base.img -BackingFormat raw -MetadataOnly</code>
/// <para>Records the format of the backing file in an image that did not say it.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2Image old.qcow2 -Version 3 -LazyRefcounts</code>
/// <para>Makes an image of version 3 of one of version 2, and lets QEMU postpone updates of its reference counts.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object RefcountBits -ne 16 | Set-Qcow2Image -RefcountBits 16 -Version 2 -PassThru</code>
/// <para>Makes images fit for QEMU before 1.1, and shows what they are.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2Image db01.qcow2 -DataFile /fast/db01.raw</code>
/// <para>Says where the external data file of an image is now, after it was moved there.</para>
/// </example>
/// <example>
/// <code>Set-Qcow2Image db01.qcow2 -DataFileRaw:$false</code>
/// <para>Allows an image with a raw external data file to have a backing file: the data file alone is the disk no longer.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="ConvertQcow2ImageCommand"/>
/// <seealso cref="ResizeQcow2ImageCommand"/>
/// <seealso cref="MergeQcow2ImageCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Set, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class SetQcow2ImageCommand : ReferenceCmdlet
{
    private static readonly string[] AmendNames = [nameof(Version), nameof(RefcountBits), nameof(LazyRefcounts), nameof(DataFile), nameof(DataFileRaw)];

    // What else a rebase takes may come from $PSDefaultParameterValues, and does no harm.
    private static readonly string[] RebaseNames = [nameof(BackingFile), nameof(BackingFormat), nameof(MetadataOnly)];

    private bool _isAmendment;

    /// <summary>
    /// The file to layer the image on, as its name will be stored: a relative name starts from the folder of the image, not from
    /// the current location. <c>''</c> or <c>$null</c> for none.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("ParentPath")]
    [AllowNull]
    [AllowEmptyString]
    [PathText(TakesImage = true)]
    public string? BackingFile { get; set; }

    /// <summary>
    /// The format of the new backing file: <c>qcow2</c>, <c>raw</c>, <c>vhd</c> (QEMU's <c>vpc</c>), <c>vhdx</c>, <c>vmdk</c>, <c>vdi</c>, <c>qcow</c>, <c>qed</c> or <c>parallels</c>. It is recorded in the image. It is never guessed, because a guest
    /// that writes a raw disk could make it look like another format. With <c>-MetadataOnly</c> it is by default the one that the
    /// image records.
    /// </summary>
    [Parameter]
    [ValidateSet("qcow2", "raw", "vhd", "vpc", "vhdx", "vmdk", "vdi", "qcow", "qed", "parallels")]
    public string? BackingFormat { get; set; }

    /// <summary>
    /// Changes only the name, and compares and copies nothing. For a backing file that was moved or renamed: the disk is wrong
    /// afterwards if the file does not hold what the old one held.
    /// </summary>
    [Parameter]
    public SwitchParameter MetadataOnly { get; set; }

    /// <summary>
    /// The version of the format that the image is to have. 3 takes a new header, and of old snapshots a new table. 2 is for QEMU before 1.1: clusters that
    /// are only said to be zeros are then written, where a backing file would show through, in the disk and in all snapshots. An
    /// image with an external data file, extended L2 entries, bitmaps, clusters compressed with zstd, reference counts of another width than 16 bits or
    /// snapshots of another size is refused.
    /// </summary>
    [Parameter]
    [ValidateSet("2", "3")]
    public int Version { get; set; }

    /// <summary>
    /// The width of the image's reference counts, in bits. Their tables are written anew at the end of the file; the space of the old ones is used
    /// again. Where a count does not fit, because snapshots share a cluster, the image is refused. Version 2 has 16.
    /// </summary>
    [Parameter]
    [ValidateSet("1", "2", "4", "8", "16", "32", "64")]
    public int RefcountBits { get; set; }

    /// <summary>
    /// Lets QEMU postpone updates of the image's reference counts, or with <c>-LazyRefcounts:$false</c> lets it no longer. Counts that were left behind
    /// are repaired first. Version 3 only.
    /// </summary>
    [Parameter]
    public SwitchParameter LazyRefcounts { get; set; }

    /// <summary>
    /// The name of the image's external data file, as it will be stored: a relative name starts from the folder of the image. For a data file that
    /// was moved or renamed: no file is opened or moved.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DataFile { get; set; }

    /// <summary>
    /// With <c>-DataFileRaw:$false</c> the image's external data file need not be a raw image of the disk any more. It cannot be made one: that takes
    /// <c>Convert-Qcow2Image</c>.
    /// </summary>
    [Parameter]
    public SwitchParameter DataFileRaw { get; set; }

    /// <summary>
    /// The passphrase of the image, and of all encrypted images of both chains, the old and the new one, unless <c>-BackingPassphrase</c> is given; with <c>-Version 2</c> that of the image.
    /// It is not needed otherwise. <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// The passphrases of the encrypted files below the image, where they have others than the image: one for all of them, or a table that says which file has which, by path or by name:
    /// <c>@{ 'base.qcow2' = $one; 'golden.qcow2' = $other }</c>. By default it is that of <c>-Passphrase</c>, which is not tried where this is given. Both the old and the new backing file are among them.
    /// </summary>
    /// <value>That of -Passphrase</value>
    [Parameter]
    [ValidateNotNull]
    public BackingPassphrase? BackingPassphrase { get; set; }

    /// <summary>
    /// How many threads read, compare and write at the same time for another backing file; 1 to 64. The default is the number of processors, but at
    /// most 8.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ImageMergeOptions.Default.ThrottleLimit;

    /// <summary>
    /// Copies everything that the image gets from its old backing file. By default, on a file system that can (XFS, Btrfs, bcachefs, ReFS), both share
    /// it (reflinks), in no new space; what is written later to either is its own. <c>-Verbose</c> says how much is shared.
    /// </summary>
    [Parameter]
    public SwitchParameter NoReflink { get; set; }

    /// <summary>
    /// Takes the new backing file for what <c>-BackingFormat</c> says, or the image records, although its content says something else: a guest can
    /// write the beginning of an image to its raw disk. By default that is an error.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the image as it is afterwards. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath)
        => base.OptionsFor(imagePath) with { Passphrase = Unseal(Passphrase), BackingPassphrases = Unseal(BackingPassphrase) };

    /// <inheritdoc/>
    /// <remarks>The format that is given here is that of the new backing file, and no error of the old chain; the data file's name is one to store.</remarks>
    private protected override string? ParameterFor(string usual, string? path)
        => usual is nameof(BackingFormat) or nameof(DataFile) ? null : base.ParameterFor(usual, path);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        string[] amend = [.. AmendNames.Where(MyInvocation.BoundParameters.ContainsKey)];
        string[] rebase = [.. RebaseNames.Where(MyInvocation.BoundParameters.ContainsKey)];
        _isAmendment = amend.Length > 0;
        if (_isAmendment && rebase.Length > 0)
        {
            Refuse("ParameterConflict", $"-{rebase[0]} is about the backing file, and -{amend[0]} about the image's own layout: change them in two calls.", rebase[0]);
        }

        if (!_isAmendment && !MyInvocation.BoundParameters.ContainsKey(nameof(BackingFile)))
        {
            Refuse("ParameterMissing", $"Say what is to change: -BackingFile, or {string.Join(", ", AmendNames.Select(name => "-" + name))}.", nameof(BackingFile));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        if (_isAmendment)
        {
            Amend(image);
        }
        else
        {
            Rebase(image);
        }
    }

    private void Amend(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "changed in its layout");
        Qcow2ImageInfo before = Qcow2ImageInfo.Read(image.Path);
        var options = new ImageAmendOptions
        {
            Version = IsGiven(nameof(Version)) ? Version : null,
            RefcountBits = IsGiven(nameof(RefcountBits)) ? RefcountBits : null,
            LazyRefcounts = IsGiven(nameof(LazyRefcounts)) ? LazyRefcounts.IsPresent : null,
            DataFile = DataFile,
            DataFileRaw = IsGiven(nameof(DataFileRaw)) ? DataFileRaw.IsPresent : null,
            Passphrase = Unseal(Passphrase),
        };
        if (!ShouldProcess(image.Path, $"Change {string.Join(", ", Describe(before, options))}"))
        {
            return;
        }

        Track("Changing", image.Path, (progress, token) => ImageAmend.Amend(image.Path, options, progress, token));
        PassOn(image);
    }

    private static IEnumerable<string> Describe(Qcow2ImageInfo before, ImageAmendOptions options)
    {
        if (options.Version is int version)
        {
            yield return $"the version from {before.Version} to {version}";
        }

        if (options.RefcountBits is int bits)
        {
            yield return $"the reference counts from {before.RefcountBits} to {bits} bits";
        }

        if (options.LazyRefcounts is bool lazy)
        {
            yield return $"lazy reference counts to {(lazy ? "on" : "off")}";
        }

        if (options.DataFile is string data)
        {
            yield return $"the name of the data file from '{DisplayText.Printable(before.DataFile)}' to '{DisplayText.Printable(data)}'";
        }

        if (options.DataFileRaw is bool raw)
        {
            yield return $"whether the data file is raw to {(raw ? "yes" : "no")}";
        }
    }

    private bool IsGiven(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    private void PassOn(ImageInput image)
    {
        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.Read(image.Path));
        }
    }

    private void Refuse(string id, string message, string parameter)
        => ThrowTerminatingError(new ErrorRecord(new PSArgumentException(message, parameter), id, ErrorCategory.InvalidArgument, parameter));

    private void Rebase(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "layered on another file");
        Qcow2ImageInfo before = Qcow2ImageInfo.Read(image.Path);
        bool isNone = string.IsNullOrEmpty(BackingFile);
        string? format = BackingFormat?.ToLowerInvariant() ?? (MetadataOnly ? before.BackingFormat : null);
        if (!isNone && format is null)
        {
            throw new ImageCmdletException("BackingFormatMissing", ErrorCategory.InvalidArgument,
                $"{image.Path}: the format of the new backing file is needed, and is never guessed: -BackingFormat qcow2 or -BackingFormat raw.");
        }

        if (!isNone && ReferencePolicy != ImageReferencePolicy.Forbid && (MetadataOnly || format == "raw"))
        {
            RequireFormat(ImageCreation.Beside(image.Path, BackingFile!), format, BackingFormat is null ? "The image records" : "-BackingFormat says", Force);
        }

        string target = isNone ? "no backing file" : $"'{DisplayText.Printable(BackingFile)}' ({DisplayText.Printable(format)})";
        string how = MetadataOnly ? "Change the name of the backing file alone" : "Change the backing file";
        if (!ShouldProcess(image.Path, $"{how} from {Describe(before)} to {target}"))
        {
            return;
        }

        ConversionResult? shared = null;
        var options = new ImageRebaseOptions
        {
            BackingFile = BackingFile,
            BackingFormat = BackingFormat?.ToLowerInvariant(),
            MetadataOnly = MetadataOnly,
            Open = OptionsFor(image.Path),
            ThrottleLimit = ThrottleLimit,
            ShareExtents = !NoReflink,
            OnShared = result => shared = result,
        };
        Track("Rebasing", image.Path, (progress, token) => ImageRebase.Rebase(image.Path, options, progress, token));
        foreach (string line in DisplayText.Sharing(image.Path, shared))
        {
            WriteVerbose(line);
        }

        PassOn(image);
    }

    private static string Describe(Qcow2ImageInfo image) => image.BackingFile is null ? "none"
        : $"'{DisplayText.Printable(image.BackingFile)}' ({DisplayText.Printable(image.BackingFormat ?? "format not recorded")})";
}
