using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>One measurement of a disk, from opening it to the numbers.</summary>
/// <param name="path">Full path of the disk.</param>
/// <param name="format">Its format; null where the file has to say.</param>
/// <param name="options">How to open it.</param>
/// <param name="snapshot">The snapshot whose disk is measured; null for the active disk.</param>
/// <param name="layout">The layout of the QCOW2 image to be; null for a raw one.</param>
internal sealed class ImageMeasuring(string path, DiskImageFormat? format, Qcow2OpenOptions options, string? snapshot, Qcow2CreateOptions? layout)
{
    private static readonly string[] RawNames = [".RAW", ".ISO", ".DD", ".BIN"];

    /// <summary>Whether another program had the source open for writing.</summary>
    internal bool IsInUse { get; private set; }

    /// <summary>Measures, on another thread.</summary>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal Qcow2MeasureResult Run(CancellationToken stop)
    {
        Qcow2MeasureResult? result = null;
        LongOperation.Run(token => result = Measure(token), () => { }, stop);
        return result!;
    }

    private Qcow2MeasureResult Measure(CancellationToken cancellationToken)
    {
        using VirtualDisk source = OpenSource(cancellationToken);
        var image = source as Qcow2Image;
        IsInUse = (image is null ? Qcow2ImageInfo.ReadRaw(path) : Qcow2ImageInfo.Read(path)).LockState == ImageLockState.HeldForWriting;
        VirtualDisk disk = source;
        if (snapshot is not null)
        {
            disk = image?.OpenSnapshot(image.FindSnapshot(snapshot))
                ?? throw ImageCmdletException.NotPossible($"{path}: a raw disk has no snapshots.");
        }

        return layout is null ? ImageMeasure.ForRaw(disk) : ImageMeasure.ForDisk(disk, layout, image, cancellationToken);
    }

    private VirtualDisk OpenSource(CancellationToken cancellationToken)
    {
        string extension = System.IO.Path.GetExtension(path).ToUpperInvariant();
        DiskImageFormat? known = format ?? FormatByContent(extension);
        if (known == DiskImageFormat.Raw)
        {
            return RawDisk.Open(path, options);
        }

        try
        {
            return Qcow2Image.Open(path, options, cancellationToken);
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.NotQcow2 && format is null && e.Path == path)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2, $"{e.Message} If it is a raw disk, say -SourceFormat Raw.", e);
        }
    }

    /// <summary>A guest that writes a raw disk can make it begin like an image, so that name and content must not disagree.</summary>
    private DiskImageFormat? FormatByContent(string extension)
    {
        bool hasRawName = RawNames.Contains(extension, StringComparer.Ordinal);
        byte[] start = new byte[4];
        using LocalFile file = LocalFile.OpenRead(path);
        bool isQcow2 = file.Read(0, start) == start.Length && start.SequenceEqual(new byte[] { (byte)'Q', (byte)'F', (byte)'I', 0xfb });
        if (isQcow2 && hasRawName)
        {
            throw new ImageCmdletException("FormatAmbiguous", ErrorCategory.InvalidData,
                $"{path}: the name is that of a raw disk, but the file begins like a QCOW2 image. Say which it is with -SourceFormat.");
        }

        return isQcow2 ? DiskImageFormat.Qcow2 : hasRawName || extension == ".IMG" ? DiskImageFormat.Raw : null;
    }
}
