using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that writes the disk of each image to a file of its own.</summary>
public abstract class ConversionCmdlet : DiskReadingCmdlet
{
    private readonly HashSet<string> _written = new(DestinationFile.PathComparer);

    /// <summary>
    /// The file to write. Wildcards are not permitted. Its folder must exist; the file must not, unless <c>-Force</c> is
    /// given. For several images from the pipeline, give a script block that makes a name for each out of <c>$_</c>.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string DestinationPath { get; set; } = "";

    /// <summary>
    /// The format to write. This version writes <c>Raw</c> only. By default it follows from the name of the destination:
    /// <c>Qcow2</c> for names that end in <c>.qcow2</c> or <c>.qcow</c>, which is an error in this version, and <c>Raw</c> for
    /// all others.
    /// </summary>
    /// <value>By the destination's name</value>
    [Parameter]
    public DiskImageFormat DestinationFormat { get; set; }

    /// <summary>
    /// How many threads read, decompress, decrypt and write at the same time; 1 to 64. The default is the number of
    /// processors, but at most 8.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ConversionOptions.Default.ThrottleLimit;

    /// <summary>Replaces the destination if it exists. The old file stays as it is until the new one is complete.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the new image as a <c>Qcow2ImageInfo</c>, whose Format is <c>raw</c>. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>How the cmdlet and its destination are typed, for an error's advice.</summary>
    private string Usage => $"{MyInvocation.MyCommand.Name} -DestinationPath";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (DestinationFormat != DiskImageFormat.Raw)
        {
            ThrowTerminatingError(ErrorRecords.From(DestinationFile.FormatNotSupported(), DestinationPath));
        }
    }

    /// <inheritdoc/>
    private protected override void Preview(IReadOnlyList<ImageInput> images)
    {
        if (images.Count > 1)
        {
            ThrowTerminatingError(ErrorRecords.From(DestinationFile.NotUnique(DestinationPath, images.Count, Usage), DestinationPath));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        string destination = Resolver.Literal(DestinationPath);
        DestinationFile.EnsureFormat(destination, MyInvocation.BoundParameters.ContainsKey(nameof(DestinationFormat)));
        DestinationFile.EnsureUsable(destination, Force, _written, Usage);
        string? snapshot = SnapshotToConvert(image);
        long size = SizeOf(Qcow2ImageInfo.Read(image.Path), snapshot);
        string what = snapshot is null ? "Convert" : $"Convert snapshot '{DisplayText.Printable(snapshot)}'";
        if (!ShouldProcess(image.Path, $"{what} to the raw image '{destination}' ({DisplayText.Size(size)})"))
        {
            return;
        }

        var conversion = new RawConversion(image.Path, OptionsFor(image.Path), snapshot, destination, Force, ThrottleLimit);
        conversion.Run(WriteProgress, StopToken);
        _written.Add(destination);
        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.ReadRaw(destination));
        }
    }

    /// <summary>The snapshot whose disk is written; null for the active disk.</summary>
    private protected virtual string? SnapshotToConvert(ImageInput image) => SnapshotOf(image);

    private static long SizeOf(Qcow2ImageInfo info, string? snapshot)
        => (info.Snapshots.FirstOrDefault(one => one.Id == snapshot) ?? info.Snapshots.FirstOrDefault(one => one.Name == snapshot))?.DiskSize
            ?? info.Size;
}
