using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Compares the disks of images: whether they hold the same, and where not.</summary>
/// <remarks>
/// <para>
/// Compare-Qcow2Image compares what a guest would read, as <c>qemu-img compare</c> does: with the data of the whole backing chain,
/// decompressed and decrypted, whatever the formats and layouts are. Where one disk is shorter, zeros are taken to follow. The result says
/// where the first byte differs, how much differs and in which ranges; the first 1,000 ranges are listed, all are counted. A range is made of
/// whole blocks of 4 KiB.
/// </para>
/// <para>
/// Of what reads as zeros in both, nothing is read, and neither of what both take from the same place of the same file: a snapshot and its
/// image, or an overlay and its base, take as long as their difference is large. Each side may be a snapshot.
/// </para>
/// <para>
/// With <c>-Strict</c>, another size is a difference, and so is another allocation of the same bytes. These states are told apart, as by
/// <c>qemu-img compare -s</c>: data; data without a place of its own, which is compressed or encrypted; zeros, with or without a place that
/// is kept for them; nothing at all. What QEMU calls a difference in addition is not: that the last stretch of one disk lies in one piece in
/// its file, and that of the other does not, or that clusters have another size.
/// </para>
/// <para>
/// Either disk may be a raw one, or an image in VHD, VHDX, VMDK, VDI, QCOW (version 1), QED or Parallels. A file without the marks of these formats and QCOW2 is taken for a raw disk only if its name ends in <c>.raw</c>, <c>.img</c>,
/// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>; for any other say <c>-SourceFormat</c> or <c>-DifferenceFormat</c>. What is plainly
/// something else, an archive or a DMG image, is refused whatever its name. Both disks are only read. An
/// image that another program has open for writing is refused, unless <c>-ForceShare</c> is given.
/// </para>
/// </remarks>
/// <example>
/// <code>Compare-Qcow2Image web01.qcow2 web01.raw</code>
/// <para>Whether a conversion has the content of its source.</para>
/// </example>
/// <example>
/// <code>if (-not (Compare-Qcow2Image web01.qcow2 /backup/web01.qcow2 -Quiet)) { throw 'The backup is out of date.' }</code>
/// <para>Only whether they are equal; the comparison ends at the first difference.</para>
/// </example>
/// <example>
/// <code>(Compare-Qcow2Image before.qcow2 after.qcow2).Ranges</code>
/// <para>Where the disk was changed.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 | Compare-Qcow2Image -DifferencePath web01.qcow2</code>
/// <para>How much the disk has changed since each of its snapshots.</para>
/// </example>
/// <example>
/// <code>Compare-Qcow2Image web01.qcow2 web01.qcow2 -SnapshotName monday -DifferenceSnapshotName tuesday</code>
/// <para>What changed between two snapshots.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Compare-Qcow2Image -DifferencePath { "/backup/$($_.Name)" } | Where-Object AreEqual -EQ $false</code>
/// <para>The images of a folder that differ from their copies.</para>
/// </example>
/// <example>
/// <code>Compare-Qcow2Image vault.qcow2 vault.raw -Passphrase (Read-Host -AsSecureString 'Passphrase')</code>
/// <para>Compares an encrypted image with its decrypted content.</para>
/// </example>
/// <seealso cref="ConvertQcow2ImageCommand"/>
/// <seealso cref="GetQcow2ExtentCommand"/>
/// <seealso cref="TestQcow2ImageCommand"/>
[Cmdlet(VerbsData.Compare, "Qcow2Image", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2CompareResult), typeof(bool), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class CompareQcow2ImageCommand : DiskReadingCmdlet
{
    /// <summary>
    /// The image or raw disk to compare with. Wildcards are not permitted. For several images from the pipeline, give a script block that
    /// makes a name for each out of <c>$_</c>, or one disk to compare them all with.
    /// </summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string DifferencePath { get; set; } = "";

    /// <summary>
    /// The internal snapshot of the image of <c>-DifferencePath</c> to compare with, by its name or its id, as for <c>-SnapshotName</c>.
    /// </summary>
    /// <value>The active disk</value>
    [Parameter]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? DifferenceSnapshotName { get; set; }

    /// <summary>The internal snapshot of the image of <c>-DifferencePath</c> to compare with, by its id.</summary>
    /// <value>The active disk</value>
    [Parameter]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? DifferenceSnapshotId { get; set; }

    /// <summary>
    /// The format of the disks of <c>-Path</c>. By default the file says whether it is QCOW2, VHD, VHDX, VMDK, VDI, QCOW (version 1), QED or Parallels, and its name whether it is raw. Where the two
    /// contradict each other it has to be given, because a guest that writes a raw disk could make it look like an image.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    [Alias("Format")]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>The format of the disk of <c>-DifferencePath</c>; by default it is found as for <c>-SourceFormat</c>.</summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? DifferenceFormat { get; set; }

    /// <summary>
    /// The passphrase of the image of <c>-DifferencePath</c> and of its backing chain, if they are encrypted. By default that of
    /// <c>-Passphrase</c> is tried.
    /// </summary>
    /// <value>That of -Passphrase</value>
    [Parameter]
    [ValidateNotNull]
    public SecureString? DifferencePassphrase { get; set; }

    /// <summary>The external data file of the image of <c>-DifferencePath</c>, in place of the one that the image names.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? DifferenceDataFile { get; set; }

    /// <summary>Counts another size and another allocation of the same bytes as a difference, too.</summary>
    [Parameter]
    public SwitchParameter Strict { get; set; }

    /// <summary>
    /// Emits only whether the disks are equal: true or false. The comparison ends at the first difference. Disks that cannot be compared are
    /// an error, and nothing is emitted for them.
    /// </summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>Most ranges that are listed, 0 to 1,000,000. What differs beyond them is counted all the same.</summary>
    [Parameter]
    [ValidateRange(0, 1_000_000)]
    public int MaxRanges { get; set; } = DiskCompareOptions.Default.MaxRanges;

    /// <summary>
    /// How many threads read, decompress, decrypt and compare at the same time; 1 to 64. The default is the number of processors, but at
    /// most 8. The result does not depend on it.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = DiskCompareOptions.Default.ThrottleLimit;

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskSource source = DiskSource.Of(image, SourceFormat, OptionsFor(image.Path), SnapshotOf(image));
        var options = new DiskCompareOptions { IsStrict = Strict, StopAtFirst = Quiet, MaxRanges = MaxRanges, ThrottleLimit = ThrottleLimit };
        ImageInput other = OtherDisk();
        try
        {
            Qcow2CompareResult result = new DiskComparison(source, Difference(image, other), options).Run(WriteProgress, StopToken);
            WriteObject(Quiet ? result.AreEqual : result);
        }
        finally
        {
            Close(other);
        }
    }

    /// <inheritdoc/>
    private protected override string? ParameterFor(string usual, string? path)
        => path is null || !DestinationFile.PathComparer.Equals(path, Resolver.Literal(DifferencePath)) ? base.ParameterFor(usual, path)
            : usual == nameof(Passphrase) ? nameof(DifferencePassphrase)
            : usual == nameof(DataFile) ? nameof(DifferenceDataFile)
            : base.ParameterFor(usual, path);

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    private ImageInput OtherDisk()
    {
        string path = Resolver.Literal(DifferencePath);
        if (Directory.Exists(path))
        {
            throw ImageCmdletException.PathIsFolder(path);
        }

        if (!File.Exists(path))
        {
            throw new ItemNotFoundException($"Cannot find path '{path}' of -DifferencePath because it does not exist.");
        }

        return InsideOf(new ImageInput(path), nameof(DifferenceFormat));
    }

    private DiskSource Difference(ImageInput image, ImageInput other)
    {
        string path = other.Path;
        Qcow2OpenOptions options = OptionsFor(path) with
        {
            DataFile = DifferenceDataFile is null ? null : Resolver.Literal(DifferenceDataFile),
            Passphrase = Unseal(DifferencePassphrase ?? Passphrase),
        };
        return DiskSource.Of(other, DifferenceFormat, options, DifferenceSnapshotOf(image, path), "-DifferenceFormat");
    }

    /// <summary>A result of a comparison that is piped here brings its second disk along by its property DifferencePath: with its snapshot.</summary>
    private SnapshotSelector? DifferenceSnapshotOf(ImageInput image, string path)
        => SnapshotChoice.Of(DifferenceSnapshotName, DifferenceSnapshotId)
            ?? (image.Object is Qcow2CompareResult result && DestinationFile.PathComparer.Equals(result.DifferencePath, path)
                ? SnapshotSelector.From(result.DifferenceSnapshotId, result.DifferenceSnapshotName)
                : null);
}
