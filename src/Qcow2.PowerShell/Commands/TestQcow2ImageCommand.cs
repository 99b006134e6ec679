using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Checks whether disk images are sound: every header, every table, every refcount, every flag.</summary>
/// <remarks>
/// <para>
/// Of a QCOW2 image Test-Qcow2Image checks what <c>qemu-img check</c> checks, and gives the same numbers: corruptions, which endanger data, and
/// leaked clusters, which only waste space. Each finding says what is wrong and where; look at the property <c>Findings</c>. The
/// first 1,000 are kept, all are counted. Nothing is changed; <c>Repair-Qcow2Image</c> does that.
/// </para>
/// <para>
/// VHD, VHDX, VMDK, VDI, QED, Parallels and QCOW images of version 1 are checked, too, each by its own rules: check sums, copies of headers that differ, tables, blocks that
/// overlap, lie on something else or past the end of the file, space that nothing refers to. The numbers count blocks where those of
/// QCOW2 count clusters. A VMDK descriptor is checked with the extents that it names, and of a differencing disk the parent is opened to
/// see whether it is the one that the disk was made over: as far as <c>-ReferencePolicy</c> and <c>-ConfineTo</c> let them be opened.
/// </para>
/// <para>
/// It works on images that no other cmdlet opens, whatever their bytes are: damage is a finding and not an error. Only a file that
/// is no image of a format that is known, cannot be read, or is being written by another program is an error. A raw disk has nothing to check.
/// </para>
/// <para>
/// <c>IsHealthy</c> is true if nothing was found but information. An image that was not closed well is information: the refcounts of a
/// QCOW2 image are repaired when it is opened for writing, and the log of a VHDX image is part of the image, which is checked as it is with it. So is what else it takes to read the image: the files that it names, a passphrase.
/// </para>
/// <para>
/// A file that ends inside the last thing that lies in it may be a download that was cut short. It is a finding (<c>FileCutOff</c>) and a
/// warning. Of a QCOW2 image QEMU and this module read what lacks as zeros, and only with <c>-Untrusted</c> the image is not healthy; in the
/// other formats it is a corruption.
/// </para>
/// <para>
/// Of a disk in an OVA whose manifest has a sum for it all is read, and how it compares is a finding: <c>ManifestMatches</c>, <c>ManifestMismatch</c>, which is a corruption, or <c>ManifestNotCompared</c>, where the sum is of a kind that is
/// not known, or the OVA lies on a server and <c>-ReadData</c> was not given.
/// </para>
/// <para>
/// With <c>-ReadData</c> all data is read, and what is compressed is decompressed, which <c>qemu-img check</c> does not do.
/// </para>
/// <para>
/// With <c>-Untrusted</c> this is the first cmdlet that a service should call on an image that somebody uploaded. It opens no file but
/// the image, whatever that names. An image that has a backing file, keeps its data in another file, uses a feature that is not
/// known, or is damaged, is not healthy, and the findings give every reason. Neither is a differencing disk, a VMDK descriptor that names extents, nor a fixed VHD whose
/// disk begins as an image does, for which programs that look at the start of a file would take it.
/// </para>
/// </remarks>
/// <example>
/// <code>Test-Qcow2Image web01.qcow2</code>
/// <para>Checks an image.</para>
/// </example>
/// <example>
/// <code>(Test-Qcow2Image web01.qcow2).Findings | Format-Table Severity, Kind, Message -Wrap</code>
/// <para>Everything that is wrong with it.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Test-Qcow2Image | Where-Object IsHealthy -EQ $false</code>
/// <para>The images of a folder that are not sound.</para>
/// </example>
/// <example>
/// <code>if (-not (Test-Qcow2Image upload.qcow2 -Untrusted -ReadData -Quiet)) { Remove-Item upload.qcow2 }</code>
/// <para>Refuses an uploaded image that is damaged, or that would have the reader open other files.</para>
/// </example>
/// <example>
/// <code>Test-Qcow2Image disk.vhd -ReadData</code>
/// <para>Checks a VHD image, and reads all that it holds of its disk.</para>
/// </example>
/// <example>
/// <code>Test-Qcow2Image overlay.qcow2 -BackingChain</code>
/// <para>Checks an image and everything it is layered on.</para>
/// </example>
/// <example>
/// <code>Test-Qcow2Image -Uri https://files.example.com/web01.qcow2 -Credential (Get-Credential)</code>
/// <para>Checks the tables of an image on a server that wants to know who asks.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Image appliance.ova | Test-Qcow2Image | Where-Object IsHealthy -EQ $false</code>
/// <para>Compares each disk of an OVA with the manifest, checks it, and shows those that are not sound.</para>
/// </example>
/// <seealso cref="RepairQcow2ImageCommand"/>
/// <seealso cref="GetQcow2ImageCommand"/>
[Cmdlet(VerbsDiagnostic.Test, "Qcow2Image", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2CheckResult), typeof(bool), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class TestQcow2ImageCommand : WebCmdlet
{
    /// <summary>
    /// Emits only whether the image is healthy: true or false. A file that is no image is not healthy, and no error; with
    /// <c>-BackingChain</c> the answer is for the whole chain.
    /// </summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>
    /// Also checks the files that the image is layered on, each after the one above it, and by the rules of its own format. A raw file
    /// has nothing to check but that it is there.
    /// </summary>
    [Parameter]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>
    /// Also reads all data, of the disk and of every snapshot, and decompresses what is compressed. An external data file is not read.
    /// </summary>
    [Parameter]
    public SwitchParameter ReadData { get; set; }

    /// <summary>
    /// Also counts against the image what is no damage, but is not to be taken from people you do not trust: a backing file, an
    /// external data file, a parent, tables that make up most of the file. No file is opened but the image.
    /// </summary>
    [Parameter]
    public SwitchParameter Untrusted { get; set; }

    /// <summary>
    /// What the image is, where its content does not say it: a VHD that was cut off, or an image with the name of a raw disk. Without it the content decides, and
    /// what begins as no other format is checked as QCOW2.
    /// </summary>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>
    /// Checks an image although another program may be writing it. What is found may then be no damage at all, but a change that
    /// was only half done when it was looked at.
    /// </summary>
    [Parameter]
    public SwitchParameter ForceShare { get; set; }

    /// <inheritdoc/>
    /// <remarks>What a server would have to send for that alone is left where it is.</remarks>
    private protected override ManifestUse Manifest => IsWeb && !ReadData ? ManifestUse.Mentioned : ManifestUse.Reported;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (Untrusted && BackingChain)
        {
            var conflict = new PSArgumentException("-Untrusted opens no file but the image, so it does not go with -BackingChain.", nameof(BackingChain));
            ThrowTerminatingError(new ErrorRecord(conflict, "ParameterConflict", ErrorCategory.InvalidArgument, BackingChain));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        if (!Quiet)
        {
            foreach (Qcow2CheckResult result in CheckAll(image.Location, FormatFor(image)))
            {
                WriteObject(result);
            }

            return;
        }

        bool isHealthy;
        try
        {
            isHealthy = CheckAll(image.Location, FormatFor(image)).All(result => result.IsHealthy);
        }
        catch (Qcow2Exception e) when (e.Code != Qcow2ErrorCode.ImageLocked)
        {
            WriteVerbose(e.Message);
            isHealthy = false;
        }

        WriteObject(isHealthy);
    }

    /// <summary>By the rules of all cmdlets; but what has no format's mark is left to the check of QCOW2, which says what it is.</summary>
    private DiskFormat FormatFor(ImageInput image)
    {
        DiskFormat? said = SourceFormat?.Known() ?? (image.Object is Qcow2ImageInfo seen ? DiskFormats.Find(seen.Format) : null);
        DiskFormat format = said is null && image.Location.Recognize().Mark is null
            ? DiskImageFormat.Qcow2.Known()
            : DiskSource.FormatOf(image.Location, said, "-" + nameof(SourceFormat));
        return format.CanCheck ? format : throw ImageCmdletException.NotPossible($"{image.Path}: this is {format.Description}, all of which is data: there is nothing to check.");
    }

    private IEnumerable<Qcow2CheckResult> CheckAll(ImageLocation image, DiskFormat format)
    {
        yield return Check(image, format, 0);
        if (!BackingChain)
        {
            yield break;
        }

        foreach (Qcow2ImageInfo below in image.ReadChain(format, OptionsFor(image.Name)).Skip(1))
        {
            DiskFormat its = DiskFormats.Get(below.Format);
            if (its.CanCheck)
            {
                yield return Check(new LocalImage(below.Path), its, below.Depth);
            }
            else if (FormatWord.Contradiction(below.Path, its.Name) is string contradiction)
            {
                WriteWarning($"{below.Path}: this is taken for {its.Description}, as the image above it says, but it {contradiction}.");
            }
        }
    }

    private Qcow2CheckResult Check(ImageLocation image, DiskFormat format, int depth)
    {
        Qcow2OpenOptions open = OptionsFor(image.Name);
        var options = new Qcow2CheckOptions { ReadData = ReadData, Untrusted = Untrusted, ForceShare = ForceShare, References = open.References, ParentPaths = open.ParentPaths };
        Qcow2CheckResult result = ImageCheck.Check(image, format, options, WriteProgress, StopToken);
        result.Depth = depth;
        foreach (Qcow2CheckFinding finding in result.Findings.Where(finding => finding.Kind == Qcow2CheckFindingKind.FileCutOff))
        {
            NoteDamage($"{image.Name}: {finding.Message}");
        }

        return result;
    }
}
