using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>Where a disk is copied to.</summary>
internal abstract record ConversionDestination(string Path)
{
    /// <summary>How an error or a question calls it: <c>the raw image</c>, for one.</summary>
    internal abstract string Description { get; }

    /// <summary>What it is, or will be.</summary>
    internal abstract DiskFormat Format { get; }
}

/// <summary>A new file.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Layout">Its format and layout.</param>
/// <param name="Overwrite">Whether files that exist are replaced.</param>
internal sealed record NewDisk(string Path, DiskCreateOptions Layout, bool Overwrite) : ConversionDestination(Path)
{
    /// <inheritdoc/>
    internal override string Description => $"the {Layout.FormatName} image";

    /// <inheritdoc/>
    internal override DiskFormat Format => DiskFormats.Get(Layout.FormatName);
}

/// <summary>A file or a device that exists, and is written into.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Known">What it is.</param>
/// <param name="Options">How to open it.</param>
/// <param name="IsZero">Whether it is known to read as zeros.</param>
internal sealed record ExistingDisk(string Path, DiskFormat Known, Qcow2OpenOptions Options, bool IsZero) : ConversionDestination(Path)
{
    /// <inheritdoc/>
    internal override string Description => $"the existing {Known.Description.Substring(Known.Description.IndexOf(' ') + 1)}";

    /// <inheritdoc/>
    internal override DiskFormat Format => Known;
}
