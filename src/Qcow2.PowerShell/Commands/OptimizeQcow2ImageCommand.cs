using System.Management.Automation;
using System.Security;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Makes QCOW2 images take less space, and compresses them if that is wanted.</summary>
/// <remarks>
/// <para>
/// Optimize-Qcow2Image writes an image anew and puts the new file in the place of the old one: without leaked and free clusters, without
/// clusters that hold only zeros, and, of an overlay, without those that hold what the backing file holds. The disk, the layout, the backing
/// file, internal snapshots, bitmaps and the passphrases of a LUKS image are kept. Clusters that were compressed are compressed again;
/// with <c>-Compress</c> all others, too.
/// </para>
/// <para>
/// The new file is written under a temporary name beside the image and moved over it when it is complete: the folder's disk needs
/// room for both. Until then the image stays as it was; when the command fails or is stopped, nothing is left behind. The new file has the
/// owner, group, mode, access list, extended attributes and labels of the old one; what cannot be kept is an error before anything is done. Where the path is a symbolic link, the
/// file that it leads to is compacted, and the link stays. An image that another program has open is left as it is.
/// </para>
/// <para>
/// The image is replaced if the new file takes less on its disk, or is shorter and so takes less wherever it is copied without its holes, and
/// does not grow by the other of these two measures by more than a hundredth or a cluster. Else it is left as it is. <c>-Verbose</c> and
/// the property <c>Reason</c> say why. A disk whose size is no multiple of 512 bytes gets the rest of its last sector, as zeros: QEMU would not show
/// what is in it.
/// </para>
/// <para>
/// Guests free space for the image when they discard it (<c>fstrim</c> with <c>discard=unmap</c>), or fill it with zeros. Run one of these in the guest
/// first.
/// </para>
/// <para>
/// Refused is what would not be kept: an image with a snapshot that holds the saved state of a virtual machine, one with the legacy
/// encryption, one whose data lies in an external data file, and a file with a second name (hard link), which would stay with the old one.
/// </para>
/// </remarks>
/// <example>
/// <code>Optimize-Qcow2Image web01.qcow2 -PassThru</code>
/// <para>Compacts an image and says what was gained.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem /archive/*.qcow2 | Optimize-Qcow2Image -Compress -PassThru | Measure-Object SavedBytes -Sum</code>
/// <para>Compresses all images of a folder, and adds up what was gained.</para>
/// </example>
/// <example>
/// <code>Optimize-Qcow2Image web01.qcow2 -Compress -CompressionLevel 9 -WhatIf</code>
/// <para>Says what would be done.</para>
/// </example>
/// <seealso cref="ConvertQcow2ImageCommand"/>
/// <seealso cref="TestQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Optimize, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2OptimizeResult), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class OptimizeQcow2ImageCommand : ChainCmdlet
{
    /// <summary>
    /// Compresses every cluster that gets smaller by it, in the way that the image records (deflate or zstd). What a guest writes later is not
    /// compressed. Not for encrypted images.
    /// </summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>How hard the compressor tries: 1 to 9 for deflate, 1 to 22 for zstd.</summary>
    /// <value>6 for deflate, 3 for zstd</value>
    [Parameter]
    [ValidateRange(1, 22)]
    public int? CompressionLevel { get; set; }

    /// <summary>
    /// The passphrase of an encrypted image, and of all encrypted images of its backing chain unless <c>-BackingPassphrase</c> is given.
    /// <c>Read-Host -AsSecureString</c> and <c>Get-Secret</c> make one.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>
    /// The passphrases of the encrypted files below the image, where they have others than the image: one for all of them, or a table that says which file has which, by path or by name:
    /// <c>@{ 'base.qcow2' = $one; 'golden.qcow2' = $other }</c>. By default it is that of <c>-Passphrase</c>, which is not tried where this is given.
    /// </summary>
    /// <value>That of -Passphrase</value>
    [Parameter]
    [ValidateNotNull]
    public BackingPassphrase? BackingPassphrase { get; set; }

    /// <summary>
    /// How many threads read, compress and write at the same time; 1 to 64. The default is the number of processors, but at
    /// most 8.
    /// </summary>
    /// <value>The number of processors, at most 8</value>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = ImageOptimizeOptions.Default.ThrottleLimit;

    /// <summary>
    /// Copies everything. By default, on a file system that can (XFS, Btrfs, bcachefs, ReFS), the new file shares what it keeps of the old one (reflinks),
    /// so that little space is needed for both. <c>-Verbose</c> says how much was shared.
    /// </summary>
    [Parameter]
    public SwitchParameter NoReflink { get; set; }

    /// <summary>Emits what was gained, as a <c>Qcow2OptimizeResult</c>. By default nothing is emitted; <c>-Verbose</c> says it, too.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath)
        => base.OptionsFor(imagePath) with { Passphrase = Unseal(Passphrase), BackingPassphrases = Unseal(BackingPassphrase) };

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        if (CompressionLevel is not null && !Compress)
        {
            throw ImageCmdletException.Contradiction($"{image.Path}: -CompressionLevel says how -Compress is done, and nothing is to be compressed.");
        }

        Qcow2ImageInfo before = Qcow2ImageInfo.Read(image.Path);
        if (!ShouldProcess(image.Path, $"{(Compress ? "Compact and compress" : "Compact")} (now {DisplayText.Size(before.AllocatedSize)})"))
        {
            return;
        }

        var options = new ImageOptimizeOptions
        {
            Compress = Compress,
            CompressionLevel = CompressionLevel,
            Open = OptionsFor(image.Path),
            ThrottleLimit = ThrottleLimit,
            ShareExtents = !NoReflink,
        };
        WarnOfFullDisk(() => Need(image.Path, before, options.Open));
        Qcow2OptimizeResult result = Track("Compacting", image.Path, (progress, token) => ImageOptimizer.Optimize(image.Path, options, progress, token));
        WriteVerbose(result.IsReplaced
            ? $"{result.Path}: {DisplayText.Size(result.AllocatedSizeBefore)} before, {DisplayText.Size(result.AllocatedSize)} now. {result.Reason}"
            : $"{result.Path}: left as it is. {result.Reason}");
        if (result.SharedBytes > 0)
        {
            WriteVerbose($"{result.Path}: {DisplayText.SizeAndBytes(result.SharedBytes)} were taken over by the new file without a copy.");
        }

        if (result.IsReplaced && DiskSize.RoundUp(before.Size) is long rounded && rounded != before.Size)
        {
            WriteVerbose(DisplayText.RoundedSize(result.Path, before.Size, rounded));
        }

        if (PassThru)
        {
            WriteObject(result);
        }
    }

    /// <summary>Old and new file lie beside each other until the new one is complete. What snapshots share is not measured.</summary>
    private static SpaceNeed Need(string path, Qcow2ImageInfo info, Qcow2OpenOptions options)
    {
        if (info.Snapshots.Length > 0)
        {
            return new SpaceNeed(path, info.AllocatedSize);
        }

        var source = new DiskSource(new LocalImage(path), DiskImageFormat.Qcow2.Known(), options, null);
        var layout = new Qcow2CreateOptions { ClusterSize = (int)(info.ClusterSize ?? Qcow2CreateOptions.Default.ClusterSize) };
        return new SpaceNeed(path, info.AllocatedSize, token => Math.Min(info.AllocatedSize, SpaceNeed.RequiredBytes(source, layout, token)));
    }
}
