using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that opens an image as a disk: the active one or that of a snapshot.</summary>
public abstract class DiskCmdlet : ChainCmdlet
{
    /// <summary>
    /// The internal snapshot whose disk is used, by its id or its name; case matters. By default the active disk is used, or
    /// the snapshot that comes down the pipeline from <c>Get-Qcow2Snapshot</c>.
    /// </summary>
    [Parameter]
    [Alias("SnapshotId", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>
    /// The external data file, in place of the one that the image names. By default the name in the image is taken,
    /// relative to the image's folder.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? DataFile { get; set; }

    /// <summary>The snapshot to use of an image: the one asked for, or the one that came as an object; null for the active disk.</summary>
    /// <param name="image">The image.</param>
    private protected string? SnapshotOf(ImageInput image) => SnapshotName ?? (image.Object as Qcow2Snapshot)?.Id;

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        DataFile = DataFile is null ? null : Resolver.Literal(DataFile),
    };
}
