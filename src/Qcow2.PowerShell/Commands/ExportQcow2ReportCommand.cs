using System.Management.Automation;
using System.Runtime.ExceptionServices;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;
using Qcow2.PowerShell.Reports;

namespace Qcow2.PowerShell.Commands;

/// <summary>Writes a report of disk images as one HTML file: sizes, states, backing chains, what lies where, snapshots and findings.</summary>
/// <remarks>
/// <para>
/// Export-Qcow2Report looks at any number of images of any format and writes a file for people: totals, what needs attention, a table that a click sorts, the backing chains as trees with broken links in
/// red, and for each image its properties, a map of what lies where, its snapshots on a line of time and, with <c>-Check</c>, the findings of a check.
/// </para>
/// <para>
/// The file needs no other and loads nothing: it can be mailed, archived, printed, and opened without a network. It follows the light or dark setting of its reader, and can be read by a screen reader. A policy in it
/// (Content-Security-Policy) keeps everything from running but its own script of some lines, which sorts. Names in images are the word of whoever made them: they are shown as text, control characters as codes, and
/// are never markup. A report tells names and paths of files, and the name of the computer that it was made on.
/// </para>
/// <para>
/// Only metadata is read, no data and no other file than those of the chains, so that encrypted images need no passphrase and a fleet takes a short time. Images that a virtual machine is writing are looked at as they are, and are marked as in use.
/// An image that cannot be read, a broken chain or a damaged table is in the report and an error that does not end the command; a chain that <c>-ReferencePolicy</c> keeps from being followed is in the report alone.
/// </para>
/// <para>
/// Objects of <c>Get-Qcow2Image</c> are images, too. Their files are read anew where they are here. Where they are not, because the object came from another computer by remoting or the file is gone, what the object says is in
/// the report, and there is no map.
/// </para>
/// <para>
/// So are objects about disks that are packed. Those in an OVA are read where they lie, and have a map; nothing is unpacked for a report, so that compressed ones have none, and neither is checked.
/// </para>
/// <para>
/// Reclaimable is what a qcow2 file takes on its disk and no cluster in use needs, by its reference counts; with <c>-Check</c> leaked clusters count, too. Optimize-Qcow2Image gives that back and often more, because it looks at data. An image is
/// overgrown where a fifth of its file or more is reclaimable and at least 16 MiB, or where the file takes a tenth more than its whole disk has and 16 MiB besides.
/// </para>
/// </remarks>
/// <example>
/// <code>Export-Qcow2Report *.qcow2 report.html</code>
/// <para>A report of the images of the current folder.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem /var/lib/libvirt/images -Recurse -File -Include *.qcow2, *.vhdx, *.vmdk | Export-Qcow2Report -DestinationPath report.html -Check -Title 'Images of kvm01' -Force</code>
/// <para>A report of everything below a folder, with a check of each image, in place of the one of yesterday.</para>
/// </example>
/// <example>
/// <code>Invoke-Command -HostName kvm01, kvm02 { Get-Qcow2Image /var/lib/libvirt/images/*.qcow2 } | Export-Qcow2Report -DestinationPath fleet.html -Title 'Our fleet'</code>
/// <para>A report of images on other computers, by what they say of themselves.</para>
/// </example>
/// <example>
/// <code>Export-Qcow2Report uploads/*.qcow2 uploads.html -Check -ReferencePolicy Forbid -PassThru | Invoke-Item</code>
/// <para>A report of images from people you do not trust, none of which gets another file opened; and a look at it.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="ShowQcow2ImageCommand"/>
/// <seealso cref="TestQcow2ImageCommand"/>
/// <seealso cref="OptimizeQcow2ImageCommand"/>
[Cmdlet(VerbsData.Export, "Qcow2Report", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class ExportQcow2ReportCommand : ChainCmdlet
{
    private readonly List<ReportImage> _images = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly ReportProgress _progress = new();
    private string _destination = "";
    private string _destinationKey = "";
    private bool _isWanted;

    /// <summary>
    /// The report to write, an HTML file. Wildcards are not permitted. Its folder must exist; the file must not, unless <c>-Force</c> is given. It has its name when it is complete; when the command fails
    /// or is stopped, nothing is left behind.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    [PathText]
    public string DestinationPath { get; set; } = "";

    /// <summary>The title of the report.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string Title { get; set; } = "Disk images";

    /// <summary>
    /// Checks each image, as Test-Qcow2Image does without <c>-ReadData</c>, and lists the first of what was found. What another program is writing, and raw disks, are not checked.
    /// </summary>
    [Parameter]
    public SwitchParameter Check { get; set; }

    /// <summary>
    /// What the images are. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of raw disks with other names, and of those that a guest wrote whom you do
    /// not trust: it could have made its disk look like an image that names a file of this machine.
    /// </summary>
    /// <value>By each file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>Replaces the destination if it exists. The old file stays as it is until the new one is complete. A disk image is never replaced by a report.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the report as a <c>FileInfo</c>. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        ForFile(DestinationPath, () =>
        {
            _destination = Resolver.Literal(DestinationPath);
            DestinationFile.EnsureUsable(_destination, Force, "-" + nameof(DestinationPath));
            RefuseImage();
            _destinationKey = DestinationFile.KeyOf(_destination);
            _isWanted = ShouldProcess(_destination, "Write a report of disk images");
        });
    }

    /// <inheritdoc/>
    private protected override void Preview(IReadOnlyList<ImageInput> images) => _progress.Known += images.Count;

    /// <summary>What is only described is an image of a report, too, and no error.</summary>
    private protected override ImageInput FromObject(Qcow2ImageObject image)
    {
        if (image is UnusableObject { Said: Qcow2ImageInfo })
        {
            return new ImageInput(image.Path, image);
        }

        try
        {
            return base.FromObject(image);
        }
        catch (Exception e) when (IsDescription(image) && ErrorRecords.IsOfFile(e))
        {
            return new ImageInput(image.Path, new UnusableObject(image.Path, e, image)); // A path of another system.
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        var elsewhere = image.Object as UnusableObject;
        Qcow2ImageInfo? packed = image.Object is Qcow2ImageInfo { PackedIn.Length: > 0 } info ? info : null;
        if (!_isWanted || !_seen.Add((packed is null ? ReportFile.At(image.Path, elsewhere?.Computer) : ReportFile.Of(packed)).Key))
        {
            return;
        }

        if (image.Object is null && SourceFormat is null && IsDestination(image.Path))
        {
            WriteVerbose($"{image.Path}: this is the report of the last time, which is no image.");
            return;
        }

        if (elsewhere is not null)
        {
            _images.Add(RememberedImage.Of((Qcow2ImageInfo)elsewhere.Said!, elsewhere.Computer));
            return;
        }

        if (packed is not null && IsHere(image.Path))
        {
            Survey(image, packed);
            return;
        }

        if (IsDescription(image.Object) && !IsHere(image.Path))
        {
            _images.Add(RememberedImage.Of((Qcow2ImageInfo)image.Object!, null));
            return;
        }

        if (Directory.Exists(image.Path))
        {
            throw ImageCmdletException.PathIsFolder(image.Path);
        }

        Survey(image);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (!_isWanted)
        {
            return;
        }

        Show(_progress.Complete());
        ForFile(_destination, () =>
        {
            var document = new ReportDocument(Title, DateTimeOffset.Now, _images);
            LongOperation.Run(stop => ReportOutput.Write(document.Build(), _destination, Force, stop), () => { }, StopToken);
            WriteVerbose($"{_destination}: {ReportText.Count(_images.Count, "image")}.");
            if (PassThru)
            {
                WriteObject(new FileInfo(_destination));
            }
        });
    }

    /// <summary>Whether an object says enough of an image to be shown without its file.</summary>
    private static bool IsDescription(Qcow2ImageObject? image) => image is Qcow2ImageInfo { Path.Length: > 0 } info && (info.Size > 0 || info.FileSize > 0);

    /// <summary>Whether anything stands at a path. Where no host could have it, nothing does.</summary>
    private static bool IsHere(string path)
    {
        try
        {
            return Destination.At(path).Kind is not (FileKind.None or FileKind.Folder) || Directory.Exists(path);
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            return false;
        }
    }

    /// <summary>A disk in an OVA is looked at where it lies; of what is compressed the object says all that is shown.</summary>
    private void Survey(ImageInput image, Qcow2ImageInfo packed)
    {
        if (packed.PackedIn != "ova")
        {
            _images.Add(RememberedImage.Packed(packed));
            return;
        }

        var survey = new ArchivedImage(image.Location, packed);
        ReportImage? row = null;
        _progress.BeginImage();
        string name = ReportText.FileName(image.Path);
        LongOperation.Run(stop => row = survey.Run(_progress, stop), () => Show(_progress.Next(_images.Count + 1, name)), StopToken);
        _images.Add(row!);
        if (survey.Failure is Exception failure)
        {
            ForFile(image.Path, () => ExceptionDispatchInfo.Capture(failure).Throw());
        }
    }

    private void Survey(ImageInput image)
    {
        ReportImage? row = null;
        ImageSurvey survey;
        try
        {
            RefusePacked(image);
            survey = new ImageSurvey(image.Path, DiskSource.FormatOf(image, SourceFormat), OptionsFor(image.Path), Check);
            _progress.BeginImage();
            string name = ReportText.FileName(image.Path);
            LongOperation.Run(stop => row = survey.Run(_progress, stop), () => Show(_progress.Next(_images.Count + 1, name)), StopToken);
            Show(_progress.Next(_images.Count + 1, name)); // Of many small ones, none may take as long as a pulse.
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            _images.Add(new ReportImage(ReportFile.At(image.Path)) { Error = ReportText.Reason(e, image.Path) });
            throw;
        }

        RefuseSources(survey.Paths);
        NoteDamage(survey.Information!);
        _images.Add(row!);
        foreach (Exception failure in survey.Failures)
        {
            ForFile(image.Path, () => ExceptionDispatchInfo.Capture(failure).Throw());
        }
    }

    /// <summary>Of what is packed there are several disks, or what is known of the one comes from elsewhere: by objects, which say both.</summary>
    private void RefusePacked(ImageInput image)
    {
        if (SourceFormat is null && PackedFile.IsCalledPacked(image.Path))
        {
            using BlockStorage bytes = image.Location.OpenBytes();
            if (PackedFile.Recognize(bytes, image.Path) is not null)
            {
                throw new Qcow2Exception(
                    Qcow2ErrorCode.NotQcow2, $"{image.Path}: this is a packed file. A report shows what Get-Qcow2Image says of what is in it: pass that on, Get-Qcow2Image … | Export-Qcow2Report.");
            }
        }
    }

    /// <summary>Nobody means to lose a disk to a report.</summary>
    private void RefuseImage()
    {
        if (Destination.At(_destination).Kind == FileKind.Regular && DiskFormats.Recognize(_destination) is { Mark: not null } or { IsCalledRaw: true })
        {
            throw new ImageCmdletException("DestinationIsImage", ErrorCategory.InvalidArgument,
                $"{_destination}: this is a disk image, and the report would take its place. -DestinationPath names the HTML file to write.");
        }
    }

    private bool IsDestination(string path) => DestinationFile.PathComparer.Equals(DestinationFile.KeyOf(path), _destinationKey);

    private void RefuseSources(IReadOnlyList<string> paths)
    {
        if (paths.FirstOrDefault(IsDestination) is string source)
        {
            _isWanted = false; // The rest would be for nothing.
            throw DestinationFile.IsSource(_destination, source);
        }
    }

    private void Show(ProgressRecord? record)
    {
        if (record is not null)
        {
            WriteProgress(record);
        }
    }
}
