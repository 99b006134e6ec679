using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>One new image, with its progress where space is preallocated.</summary>
internal sealed class ImageCreation(string path, long? size, DiskCreateOptions layout, bool overwrite)
{
    private readonly TrackedOperation _operation = new($"Creating {DisplayText.Printable(System.IO.Path.GetFileName(path))}")
    {
        Done = -1,
        Total = size ?? 0,
    };

    /// <summary>Creates the image, on another thread.</summary>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped; nothing was left behind.</exception>
    internal void Run(Action<ProgressRecord> show, CancellationToken stop) => _operation.Run(Create, show, stop);

    /// <summary>Full path of a file that the new image is to name; null if that is no path.</summary>
    internal static string? Beside(string imagePath, string name)
    {
        try
        {
            return System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(imagePath) ?? imagePath, name));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or IOException)
        {
            return null; // The engine says what is wrong with it.
        }
    }

    /// <summary>Size of the disk that a new overlay took its own from; null where that cannot be seen.</summary>
    internal static long? SizeOfBacking(Qcow2ImageInfo overlay)
    {
        try
        {
            return overlay.ParentPath is not string backing ? null
                : DiskFormats.Find(overlay.BackingFormat)?.ReadInformation(backing).Size;
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            return null;
        }
    }

    /// <summary>Bytes of the data file that a new image took its size from; null where that cannot be seen, as of a device.</summary>
    internal static long? SizeOfData(Qcow2ImageInfo image)
        => image.DataFile is string name && Beside(image.Path, name) is string path && File.Exists(path) ? new FileInfo(path).Length : null;

    /// <summary>Refuses to replace an image that, for one, a virtual machine is running from.</summary>
    internal static void EnsureNotInUse(string path)
    {
        Qcow2ImageInfo? old = null;
        try
        {
            old = File.Exists(path) ? Qcow2ImageInfo.Read(path) : null;
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            // What is no image is not in use as one.
        }

        if (old?.LockState == ImageLockState.HeldForWriting)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.ImageLocked, $"{path}: another program has this image open for writing; it is not replaced.");
        }
    }

    private void Create(CancellationToken cancellationToken)
    {
        if (layout is Qcow2CreateOptions options)
        {
            EnsureKeepsBackingFile(options);
        }

        layout.Create(path, size, overwrite, _operation, cancellationToken);
    }

    /// <summary>Of a file that does not say where its parent is nobody knows more than itself.</summary>
    private static VirtualDisk OpenBacking(DiskFormat format, string path, Qcow2OpenOptions options)
    {
        try
        {
            return format.Open(path, options);
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ParentNotNamed)
        {
            return format.Open(path, options with { WithoutBacking = true });
        }
    }

    /// <summary>What would be replaced must not be what the new image is to be layered on.</summary>
    private void EnsureKeepsBackingFile(Qcow2CreateOptions options)
    {
        if (!overwrite || options.BackingFile is null || Beside(path, options.BackingFile) is not string backing || !File.Exists(backing))
        {
            return;
        }

        string? data = options.DataFile is null ? null : Beside(path, options.DataFile);
        try
        {
            // Others may use a backing file at the same time, and do.
            var share = new Qcow2OpenOptions { ForceShare = true };
            using VirtualDisk disk = OpenBacking(DiskFormats.Get(options.BackingFormat!), backing, share);
            if (disk.ReadsFrom(path) || (data is not null && disk.ReadsFrom(data)))
            {
                throw DestinationFile.IsSource(disk.ReadsFrom(path) ? path : data!, backing);
            }
        }
        catch (Exception e) when (!options.CheckBackingFile && e is Qcow2Exception or IOException or UnauthorizedAccessException)
        {
            // It is not to be looked at. A name for the same file is enough to refuse.
            if (DestinationFile.PathComparer.Equals(path, backing))
            {
                throw DestinationFile.IsSource(path, backing);
            }
        }
    }
}
