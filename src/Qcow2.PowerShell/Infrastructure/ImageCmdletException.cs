using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What a cmdlet was asked for cannot be done, for a reason that the engine does not know of.</summary>
internal sealed class ImageCmdletException(string errorId, ErrorCategory category, string message) : Exception(message)
{
    internal string ErrorId { get; } = errorId;

    internal ErrorCategory Category { get; } = category;

    internal static ImageCmdletException PathIsFolder(string path)
        => new("PathIsFolder", ErrorCategory.InvalidArgument, $"{path}: this is a folder, not a disk image."
            + (File.Exists(System.IO.Path.Combine(path, "DiskDescriptor.xml")) ? " It is a disk of Parallels: name the file with the data in it (.hds); DiskDescriptor.xml says which of them holds what." : ""));

    /// <summary>The path is none of a file.</summary>
    internal static ImageCmdletException PathInvalid(string message) => new("PathInvalid", ErrorCategory.InvalidArgument, message);

    internal static ImageCmdletException NotFileSystem(string path, string provider)
        => new("ProviderNotSupported", ErrorCategory.InvalidArgument,
            $"{path}: this is a path of the {provider} provider; disk images lie in the file system.");

    /// <summary>Options or parameters that contradict each other, or the format.</summary>
    internal static ImageCmdletException Contradiction(string message)
        => new("OptionsContradict", ErrorCategory.InvalidArgument, message);

    /// <summary>A range that does not lie inside the disk.</summary>
    internal static ImageCmdletException OutsideDisk(string path, string what, long length)
        => new("RangeOutsideDisk", ErrorCategory.InvalidArgument,
            $"{path}: {what} not inside the disk, which has {DisplayText.SizeAndBytes(length)}.");

    /// <summary>What this kind of image cannot have done to it.</summary>
    internal static ImageCmdletException NotPossible(string message)
        => new("OperationNotSupported", ErrorCategory.NotImplemented, message);
}
