using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Chains;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Layers QCOW2 images on other files, or on none.</summary>
/// <remarks>
/// <para>
/// Set-Qcow2Image changes the backing file of an image, as <c>qemu-img rebase</c> does. The disk stays what it is: where the image has
/// nothing of its own, the old and the new backing file are compared, and what differs is copied into the image first. With no
/// new backing file (<c>-BackingFile ''</c>) the image gets all that it shows, and needs no other file afterwards.
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
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="MergeQcow2ImageCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Set, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class SetQcow2ImageCommand : ReferenceCmdlet
{
    /// <summary>
    /// The file to layer the image on, as its name will be stored: a relative name starts from the folder of the image, not from
    /// the current location. <c>''</c> or <c>$null</c> for none.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
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
    /// The passphrase of all encrypted images of both chains. It is not needed otherwise. <c>Read-Host -AsSecureString</c> and
    /// <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// How many threads read, compare and write at the same time; 1 to 64. The default is the number of processors, but at
    /// most 8.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ImageMergeOptions.Default.ThrottleLimit;

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
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with { Passphrase = Unseal(Passphrase) };

    /// <inheritdoc/>
    /// <remarks>The format that is given here is that of the new backing file, and no error of the old chain.</remarks>
    private protected override string? ParameterFor(string usual, string? path) => usual == nameof(BackingFormat) ? null : base.ParameterFor(usual, path);

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
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

        var options = new ImageRebaseOptions
        {
            BackingFile = BackingFile,
            BackingFormat = BackingFormat?.ToLowerInvariant(),
            MetadataOnly = MetadataOnly,
            Open = OptionsFor(image.Path),
            ThrottleLimit = ThrottleLimit,
        };
        Track("Rebasing", image.Path, (progress, token) => ImageRebase.Rebase(image.Path, options, progress, token));

        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.Read(image.Path));
        }
    }

    private static string Describe(Qcow2ImageInfo image) => image.BackingFile is null ? "none"
        : $"'{DisplayText.Printable(image.BackingFile)}' ({DisplayText.Printable(image.BackingFormat ?? "format not recorded")})";
}
