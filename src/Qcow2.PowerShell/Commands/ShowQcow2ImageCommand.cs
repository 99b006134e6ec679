using System.Management.Automation;
using System.Management.Automation.Host;
using System.Text;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Shows how a virtual disk is allocated, as a picture.</summary>
/// <remarks>
/// <para>
/// Show-Qcow2Image draws the disk as the guest sees it, from its first byte to its last. Each sign stands for an equal part of it and says what most of what is stored there is: data or compressed data, and of which
/// file of the backing chain. Where nothing is stored, it says whether a file has zeros there, or no file has anything. The legend below gives the sizes.
/// </para>
/// <para>
/// <c>█</c> is data of the image itself and <c>▓</c> compressed data of it, <c>▄</c> and <c>▒</c> where less than half of the part is stored. Data of its backing file is <c>1</c>, of the file below that <c>2</c>, and so
/// on to <c>9</c>; compressed data of these is <c>a</c> to <c>i</c>. <c>░</c> is zeros that a file says are there, and <c>·</c> what no file has, which reads as zeros, too. Where the output's encoding does not have these signs, or with <c>-Ascii</c>, they are
/// <c># % + - o .</c>, and digits and letters are the same.
/// </para>
/// <para>
/// With <c>-BackingChain</c> each file of the chain has a row: the whole disk, with what the guest sees of that file. What lies in it but is hidden by a file above is not there, and the places that other files fill are blank.
/// </para>
/// <para>
/// What is emitted is an object with rows and a legend. The view has colours where PowerShell has: from version 7.2 on, unless <c>$PSStyle.OutputRendering</c> is <c>PlainText</c> or the environment has <c>NO_COLOR</c>; PowerShell takes them out of what
/// goes to a file or to <c>Out-String</c>. Nothing depends on them.
/// </para>
/// <para>
/// Only tables are read, so an encrypted image needs no passphrase. The image is opened without locks: the picture of an image that another program writes may be inconsistent, and a warning says so.
/// For exact places use Get-Qcow2Extent.
/// </para>
/// </remarks>
/// <example>
/// <code>Show-Qcow2Image web01.qcow2</code>
/// <para>How the disk is allocated, in up to eight rows as wide as the window.</para>
/// </example>
/// <example>
/// <code>Show-Qcow2Image overlay.qcow2 -BackingChain</code>
/// <para>What the guest sees of each file of the chain.</para>
/// </example>
/// <example>
/// <code>Show-Qcow2Image web01.qcow2 -SnapshotName before-upgrade</code>
/// <para>The disk as it was when a snapshot was taken.</para>
/// </example>
/// <example>
/// <code>(Show-Qcow2Image overlay.qcow2).Legend | Format-Table Depth, Kind, IsCompressed, Bytes, FilePath</code>
/// <para>The legend alone, as numbers.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.vhdx | Show-Qcow2Image -Width 100 -Height 2 -Ascii | Out-File disks.txt -Encoding ascii</code>
/// <para>Pictures of a whole folder in a text file.</para>
/// </example>
/// <seealso cref="GetQcow2ExtentCommand"/>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="OptimizeQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Show, "Qcow2Image", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2ImagePicture), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class ShowQcow2ImageCommand : DiskCmdlet
{
    private const int MinWidth = 40;
    private const int MaxWidth = 500;
    private const int UsualWidth = 80;

    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>A row for each file of the backing chain, with what the guest sees of it. By default one picture shows all of them together.</summary>
    [Parameter]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>Columns that there are for a line, from 40 to 500. By default the window's, or 80 where there is none.</summary>
    /// <value>The window's</value>
    [Parameter]
    [ValidateRange(MinWidth, MaxWidth)]
    public int? Width { get; set; }

    /// <summary>The most rows of the picture, from 1 to 50. A small disk has fewer. With <c>-BackingChain</c> the files of the chain are the rows.</summary>
    /// <value>8</value>
    [Parameter]
    [ValidateRange(1, 50)]
    public int Height { get; set; } = 8;

    /// <summary>Draws with signs of ASCII. That is the default where the console's encoding does not have the others.</summary>
    [Parameter]
    public SwitchParameter Ascii { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with
    {
        ForceShare = true,
        L2CacheSize = Qcow2OpenOptions.Sequential.L2CacheSize,
    };

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskSource source = SourceOf(image, SourceFormat);
        if (source.ReadInformation().LockState == ImageLockState.HeldForWriting)
        {
            WriteWarning($"{source.Path}: another program has this image open for writing, so its picture may be inconsistent.");
        }

        var drawing = new PictureDrawing(Ascii ? PictureSigns.Ascii : PictureSigns.For(ConsoleEncoding()), Width ?? WindowWidth(), Height);
        WriteObject(Track("Mapping", source.Path, (progress, stop) =>
        {
            using OpenedDisk opened = source.Open(stop);
            Qcow2ImagePicture picture = drawing.Draw(AllocationMap.Read(opened.Disk, drawing.CellCount(BackingChain), progress, stop), BackingChain);
            picture.Path = source.Path;
            picture.SnapshotId = opened.Snapshot?.Id;
            picture.SnapshotName = opened.Snapshot?.Name;
            return picture;
        }));
    }

    /// <summary>Columns of the window. A host without one throws what it likes, or says that it has none.</summary>
    private int WindowWidth()
    {
        try
        {
            return Host.UI?.RawUI?.WindowSize.Width is > 0 and int width ? Math.Min(MaxWidth, Math.Max(MinWidth, width)) : UsualWidth;
        }
        catch (Exception e) when (e is HostException or IOException or NotImplementedException or NotSupportedException or InvalidOperationException)
        {
            return UsualWidth;
        }
    }

    /// <summary>What the console takes; null where there is none.</summary>
    private static Encoding? ConsoleEncoding()
    {
        try
        {
            return Console.OutputEncoding;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
