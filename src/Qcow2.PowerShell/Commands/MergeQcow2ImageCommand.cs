using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Merges overlays into the images that they are layered on.</summary>
/// <remarks>
/// <para>
/// Merge-Qcow2Image writes what an overlay has into its backing file, or into another image of its chain, as <c>qemu-img commit</c>
/// does. The destination then shows what the overlay shows. It grows if the overlay is larger, and keeps its size if that is
/// smaller. Only what the overlay has is read; what it calls zeros becomes zeros, and takes no space, in the destination.
/// </para>
/// <para>
/// Afterwards an overlay that was merged into its own backing file is emptied, so that its file is small; it still shows
/// what it showed. One that was merged farther down stays as it is. <c>-KeepSource</c> leaves it as it is in any case, and
/// <c>-DeleteSource</c> deletes it.
/// </para>
/// <para>
/// The overlay is not touched before the disk has all of it in the destination. So it can be stopped, and whatever goes wrong,
/// the overlay shows what it showed, and the command can be given again.
/// </para>
/// <para>
/// Other overlays of the destination, and the images between it and the overlay, show something else afterwards: what was
/// merged shows through them. So do internal snapshots of the overlay, where they have nothing of their own; snapshots of the
/// destination stay what they are. Images that another program has open are refused.
/// </para>
/// </remarks>
/// <example>
/// <code>Merge-Qcow2Image web01-overlay.qcow2 -DeleteSource</code>
/// <para>Writes an overlay into its backing file and deletes it.</para>
/// </example>
/// <example>
/// <code>Merge-Qcow2Image top.qcow2 -DestinationPath base.qcow2 -DeleteSource -Confirm:$false</code>
/// <para>Writes a whole chain of overlays into its base, deletes them, and does not ask.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image *.qcow2 | Where-Object BackingFile | Merge-Qcow2Image -WhatIf</code>
/// <para>Says which overlays of the folder would be merged into what, and changes nothing.</para>
/// </example>
/// <example>
/// <code>Merge-Qcow2Image overlay.qcow2 -KeepSource -PassThru</code>
/// <para>Writes an overlay into its backing file, leaves it as it is, and shows the backing file.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="SetQcow2ImageCommand"/>
/// <seealso cref="NewQcow2ImageCommand"/>
[Cmdlet(VerbsData.Merge, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class MergeQcow2ImageCommand : ChainCmdlet
{
    /// <summary>
    /// The image to merge into: one that the overlay is layered on, directly or through others, whose content is merged too.
    /// By default it is the backing file.
    /// </summary>
    /// <value>The backing file</value>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ParentPathCompleter))]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DestinationPath { get; set; }

    /// <summary>
    /// Deletes the overlay when it is merged, and the images between it and the destination, which show something else then. The
    /// external data files of deleted images are left. Other overlays of a deleted image are not looked for.
    /// </summary>
    [Parameter]
    public SwitchParameter DeleteSource { get; set; }

    /// <summary>Leaves the overlay as it is, and does not empty it.</summary>
    [Parameter]
    public SwitchParameter KeepSource { get; set; }

    /// <summary>
    /// The passphrase of the overlay, and of all encrypted images of the chain unless <c>-BackingPassphrase</c> is given. It is not needed otherwise. <c>Read-Host -AsSecureString</c> and
    /// <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// The passphrases of the encrypted files below the image, where they have others than the image: one for all of them, or a table that says which file has which, by path or by name:
    /// <c>@{ 'base.qcow2' = $one; 'golden.qcow2' = $other }</c>. By default it is that of <c>-Passphrase</c>, which is not tried where this is given. The file that is merged into is one of them.
    /// </summary>
    /// <value>That of -Passphrase</value>
    [Parameter]
    [ValidateNotNull]
    public BackingPassphrase? BackingPassphrase { get; set; }

    /// <summary>
    /// How many threads read, decompress and write at the same time; 1 to 64. The default is the number of processors, but at
    /// most 8.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ImageMergeOptions.Default.ThrottleLimit;

    /// <summary>
    /// Copies everything. By default, on a file system that can (XFS, Btrfs, bcachefs, ReFS), the destination shares what the overlay holds (reflinks), in
    /// no time and no new space; what is written later to either is its own. <c>-Verbose</c> says how much is shared.
    /// </summary>
    [Parameter]
    public SwitchParameter NoReflink { get; set; }

    /// <summary>
    /// Merges into a raw disk although it begins as an image does, which a guest can have written there. By default that is an error, because an
    /// image that the overlay records as raw by mistake would be destroyed.
    /// </summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the image that was merged into, as it is afterwards. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (DeleteSource && KeepSource)
        {
            var conflict = new PSArgumentException("-DeleteSource and -KeepSource exclude each other.", nameof(KeepSource));
            ThrowTerminatingError(new ErrorRecord(conflict, "ParameterConflict", ErrorCategory.InvalidArgument, null));
        }
    }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath)
        => base.OptionsFor(imagePath) with { Passphrase = Unseal(Passphrase), BackingPassphrases = Unseal(BackingPassphrase) };

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "merged");
        ConversionResult? shared = null;
        var options = new ImageMergeOptions
        {
            DestinationPath = DestinationPath is null ? null : Resolver.Literal(DestinationPath),
            Source = DeleteSource ? MergedImage.Delete : KeepSource ? MergedImage.Keep : MergedImage.Default,
            Open = OptionsFor(image.Path),
            ThrottleLimit = ThrottleLimit,
            ShareExtents = !NoReflink,
            OnShared = result => shared = result,
        };
        IReadOnlyList<Qcow2ImageInfo> images = FindImages(image.Path, options);
        Qcow2ImageInfo destination = images[images.Count - 1];
        if (destination.Format == "raw")
        {
            RequireFormat(destination.Path, "raw", "The image above it records", Force);
        }

        if (!ShouldProcess(image.Path, $"Merge into '{destination.Path}'{Afterwards(images)}"))
        {
            return;
        }

        if (images[0].Snapshots.Length > 0 && !DeleteSource)
        {
            WriteWarning($"{image.Path}: its internal snapshots show what is merged into {destination.Path}, where they have nothing of their own.");
        }

        Track("Merging", image.Path, (progress, token) => ImageMerge.Merge(image.Path, options, progress, token));
        foreach (string line in DisplayText.Sharing(destination.Path, shared))
        {
            WriteVerbose(line);
        }

        long grown = images[0].Size;
        if (destination.Format != "raw" && grown > destination.Size && DiskSize.RoundUp(grown) != grown)
        {
            WriteVerbose(DisplayText.RoundedSize(destination.Path, grown, DiskSize.RoundUp(grown)));
        }

        if (PassThru)
        {
            WriteObject(DiskFormats.Get(destination.Format).ReadInformation(destination.Path));
        }
    }

    private static IReadOnlyList<Qcow2ImageInfo> FindImages(string path, ImageMergeOptions options)
    {
        try
        {
            return ImageMerge.FindImages(path, options);
        }
        catch (FileNotFoundException e) when (options.DestinationPath is not null && e.FileName == options.DestinationPath)
        {
            throw new ItemNotFoundException($"Cannot find path '{options.DestinationPath}' of -DestinationPath because it does not exist.");
        }
        catch (NotSupportedException e)
        {
            throw ImageCmdletException.NotPossible(e.Message);
        }
    }

    private string Afterwards(IReadOnlyList<Qcow2ImageInfo> images)
    {
        if (DeleteSource)
        {
            IEnumerable<string> deleted = images.Take(images.Count - 1).Select(image => $"'{image.Path}'");
            return $" and delete {string.Join(", ", deleted)}";
        }

        return !KeepSource && images.Count == 2 ? " and empty it" : "";
    }
}
