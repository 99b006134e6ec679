using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Converts QCOW2 disk images to raw disk images.</summary>
/// <remarks>
/// <para>
/// Convert-Qcow2Image writes the disk of an image, as the guest sees it, to a new file: with the data of its whole backing
/// chain, decompressed and decrypted, byte for byte what <c>qemu-img convert -O raw</c> writes. What reads as zeros becomes
/// holes, so that the file takes little more space than it has data, where the file system can do that.
/// </para>
/// <para>
/// The new file is written under a temporary name beside its destination and moved into place when it is complete. Until
/// then the destination stays as it was; when the conversion fails or is stopped, nothing is left behind.
/// </para>
/// <para>
/// The source is only read. An image that another program has open for writing is refused, unless <c>-ForceShare</c> is
/// given. Backing files must be there, and are opened because the image names them: for images from people you do not trust,
/// see <c>-ReferencePolicy</c>.
/// </para>
/// <para>
/// This version writes raw images only.
/// </para>
/// </remarks>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 web01.raw</code>
/// <para>Converts an image to a raw file.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { $_.FullName -replace '\.qcow2$', '.raw' } -PassThru</code>
/// <para>Converts every image of the folder, each to a file of its own, and shows what was written.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image web01.qcow2 -SnapshotName before-upgrade -DestinationPath web01-before.raw</code>
/// <para>Writes the disk as it was when the snapshot was taken.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image vault.qcow2 vault.raw -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Decrypts an image. The raw file is not encrypted.</para>
/// </example>
/// <example>
/// <code>Convert-Qcow2Image upload.qcow2 upload.raw -ReferencePolicy Forbid</code>
/// <para>Converts an image from somebody else, and refuses it if it names a backing file or a data file.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { "/backup/$($_.BaseName).raw" } -Force -WhatIf</code>
/// <para>Says what would be converted to where, existing files replaced, and writes nothing.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="GetQcow2SnapshotCommand"/>
[Cmdlet(VerbsData.Convert, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2ImageInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class ConvertQcow2ImageCommand : DiskReadingCmdlet
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
    public int ThrottleLimit { get; set; } = RawConversionOptions.Default.ThrottleLimit;

    /// <summary>Replaces the destination if it exists. The old file stays as it is until the new one is complete.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the new image as a <c>Qcow2ImageInfo</c>, whose Format is <c>raw</c>. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

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
            ThrowTerminatingError(ErrorRecords.From(DestinationFile.NotUnique(DestinationPath, images.Count), DestinationPath));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        string destination = Resolver.Literal(DestinationPath);
        DestinationFile.EnsureFormat(destination, MyInvocation.BoundParameters.ContainsKey(nameof(DestinationFormat)));
        DestinationFile.EnsureUsable(destination, Force, _written);
        string? snapshot = SnapshotOf(image);
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

    private static long SizeOf(Qcow2ImageInfo info, string? snapshot)
        => (info.Snapshots.FirstOrDefault(one => one.Id == snapshot) ?? info.Snapshots.FirstOrDefault(one => one.Name == snapshot))?.DiskSize
            ?? info.Size;
}
