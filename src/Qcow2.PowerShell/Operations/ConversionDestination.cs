using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>Where a disk is copied to.</summary>
internal abstract record ConversionDestination(string Path)
{
    /// <summary>How an error or a question calls it: <c>the raw image</c>, for one.</summary>
    internal abstract string Description { get; }
}

/// <summary>A new raw file.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Overwrite">Whether a file that exists is replaced.</param>
internal sealed record NewRawFile(string Path, bool Overwrite) : ConversionDestination(Path)
{
    /// <inheritdoc/>
    internal override string Description => "the raw image";
}

/// <summary>A new QCOW2 image.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Layout">Its layout.</param>
/// <param name="Overwrite">Whether files that exist are replaced.</param>
internal sealed record NewQcow2File(string Path, Qcow2CreateOptions Layout, bool Overwrite) : ConversionDestination(Path)
{
    /// <inheritdoc/>
    internal override string Description => "the qcow2 image";
}

/// <summary>A file or a device that exists, and is written into.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Format">What it is.</param>
/// <param name="Options">How to open it.</param>
/// <param name="IsZero">Whether it is known to read as zeros.</param>
internal sealed record ExistingDisk(string Path, DiskImageFormat Format, Qcow2OpenOptions Options, bool IsZero) : ConversionDestination(Path)
{
    /// <inheritdoc/>
    internal override string Description => Format == DiskImageFormat.Raw ? "the existing raw disk" : "the existing qcow2 image";

    internal VirtualDisk Open(CancellationToken cancellationToken)
        => Format == DiskImageFormat.Raw ? RawDisk.Open(Path, Options) : Qcow2Image.Open(Path, Options, cancellationToken);
}
