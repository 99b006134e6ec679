using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Formats.Qcow2.Creation;

/// <summary>An image that a disk is copied into, and after the disk its bitmaps where that is asked for.</summary>
internal sealed class NewQcow2File : NewDiskFile
{
    private readonly ConversionOptions _options;
    private readonly Qcow2Image? _bitmaps;
    private VirtualDisk? _backing;
    private NewImageFile? _image;
    private Qcow2Image? _disk;
    private Qcow2Target? _target;

    private NewQcow2File(Qcow2Image? bitmaps, ConversionOptions options)
    {
        _bitmaps = bitmaps;
        _options = options;
    }

    /// <inheritdoc/>
    internal override CopyTarget Target => _target!;

    internal static NewQcow2File Create(
        VirtualDisk source, string path, Qcow2CreateOptions layout, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
    {
        if (layout.KeepDataFile)
        {
            throw new ArgumentException(
                "A conversion writes its destination, so that an external data file cannot be kept. Make an image over the file, and convert into that image, if the file is to be overwritten.", nameof(layout));
        }

        Qcow2Image? bitmaps = BitmapsOf(source, layout, options);
        Qcow2Target.RequireCompressible(options, layout.CompressionType, layout.Encryption, layout.DataFile is not null);
        if (bitmaps is not null)
        {
            BitmapCopier.EnsureCopyable(bitmaps, options.SkipBrokenBitmaps);
        }

        var file = new NewQcow2File(bitmaps, options);
        try
        {
            file.Begin(source, path, layout, overwrite, cancellationToken);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<string> Complete(CancellationToken cancellationToken)
    {
        IReadOnlyList<string> skipped = _bitmaps is null ? [] : BitmapCopier.Copy(_bitmaps, _disk!, _options.SkipBrokenBitmaps, cancellationToken);
        CloseDisk();
        return skipped;
    }

    /// <inheritdoc/>
    internal override void Commit(CancellationToken cancellationToken) => _image!.Commit(cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        try
        {
            CloseDisk();
        }
        finally
        {
            _image?.Dispose();
            _backing?.Dispose();
        }
    }

    private void Begin(VirtualDisk source, string path, Qcow2CreateOptions layout, bool overwrite, CancellationToken cancellationToken)
    {
        _backing = OpenBacking(layout, path);
        RequireApart(source, _backing, path, layout);
        _image = NewImageFile.Create(path, source.Length, layout, overwrite, cancellationToken);
        _image.Preallocate(null, cancellationToken);
        _disk = _image.Open(_backing is null ? BackingToCome(path) : new BorrowedDisk(_backing)); // Opened once: to unlock it takes seconds.
        _target = new Qcow2Target(_disk, isZero: true, _backing, _options) { Shares = layout.Preallocation is Preallocation.Off or Preallocation.Metadata };
    }

    /// <summary>Of an image with parts of a disk nobody knows yet what it will be layered on: zeros in these parts have to be said.</summary>
    private StandInDisk? BackingToCome(string path) => _options.OnlyWithin is null ? null : new StandInDisk(path, long.MaxValue);

    /// <summary>Closing writes what the disk still keeps in memory, and can fail: whoever has copied wants to know.</summary>
    private void CloseDisk()
    {
        Qcow2Image? disk = _disk;
        _disk = null;
        try
        {
            _target?.Dispose();
        }
        finally
        {
            disk?.Dispose();
        }
    }

    /// <summary>The image whose bitmaps are copied; null if none are.</summary>
    private static Qcow2Image? BitmapsOf(VirtualDisk source, Qcow2CreateOptions layout, ConversionOptions options)
    {
        if (options.CopyBitmaps && layout.Version < 3)
        {
            throw new ArgumentException("An image of version 2 cannot have bitmaps; make one of version 3.", nameof(layout));
        }

        return !options.CopyBitmaps ? null : source as Qcow2Image
            ?? throw new ArgumentException($"{source.Path}: only the active disk of a QCOW2 image has bitmaps that could be copied.", nameof(source));
    }

    private static VirtualDisk? OpenBacking(Qcow2CreateOptions layout, string path)
        => layout.BackingFile is null || layout.BackingFormat is null ? null : ParentFile.OpenForCreation(layout.BackingFile, layout.BackingFormat, path, layout.BackingPassphrases, layout.BackingParentPaths);

    /// <summary>Neither the source nor the backing file may be read from what is written.</summary>
    private static void RequireApart(VirtualDisk source, VirtualDisk? backing, string path, Qcow2CreateOptions layout)
    {
        string? data = layout.DataFile is null ? null : ImageReference.TryResolve(layout.DataFile, path);
        foreach (VirtualDisk? disk in new[] { source, backing })
        {
            disk?.RequireOther(path);
            if (data is not null)
            {
                disk?.RequireOther(data);
            }
        }
    }
}
