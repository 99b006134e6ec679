using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What a cmdlet was asked for cannot be done, for a reason that the engine does not know of.</summary>
internal sealed class ImageCmdletException(string errorId, ErrorCategory category, string message) : Exception(message)
{
    internal string ErrorId { get; } = errorId;

    internal ErrorCategory Category { get; } = category;

    internal static ImageCmdletException PathIsFolder(string path)
        => new("PathIsFolder", ErrorCategory.InvalidArgument, $"{path}: this is a folder, not a disk image.");

    internal static ImageCmdletException NotFileSystem(string path, string provider)
        => new("ProviderNotSupported", ErrorCategory.InvalidArgument,
            $"{path}: this is a path of the {provider} provider; disk images lie in the file system.");
}
