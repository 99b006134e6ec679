using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens an image as a disk: the active one or that of a snapshot.</summary>
public abstract class DiskCmdlet : WebCmdlet
{
    /// <summary>
    /// The external data file, in place of the one that the image names. By default the name in the image is taken,
    /// relative to the image's folder.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DataFile { get; set; }

    /// <summary>
    /// The internal snapshot whose disk is used, by its name or its id; case matters only where it tells snapshots apart. What means
    /// several snapshots is an error that lists them, and <c>-Id</c> says which. By default the active disk is used, or the snapshot that
    /// comes down the pipeline from <c>Get-Qcow2Snapshot</c>.
    /// </summary>
    [Parameter]
    [Alias("CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>The internal snapshot whose disk is used, by its id. With <c>-SnapshotName</c>, too, the snapshot must fit both.</summary>
    [Parameter]
    [Alias("SnapshotId")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        DataFile = DataFile is null ? null : Resolver.Literal(DataFile),
    };

    /// <summary>The disk to read.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">What the user says that it is; null for nothing.</param>
    private protected DiskSource SourceOf(ImageInput image, DiskImageFormat? format)
        => DiskSource.Of(image, format, OptionsFor(image.Path), SnapshotOf(image));

    /// <summary>The snapshot to use of an image: the one asked for, or the one that the object is about; null for the active disk.</summary>
    /// <param name="image">The image.</param>
    private protected SnapshotSelector? SnapshotOf(ImageInput image) => SnapshotChoice.Of(image, SnapshotName, Id);
}
