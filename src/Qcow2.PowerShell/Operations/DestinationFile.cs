using System.Management.Automation;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>What must hold of a file before it is written.</summary>
internal static class DestinationFile
{
    /// <summary>Whether two full paths are the same to this system.</summary>
    internal static StringComparer PathComparer { get; } =
        System.IO.Path.DirectorySeparatorChar == '\\' ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

    /// <summary>Refuses a destination before anything is read.</summary>
    /// <param name="path">Full path of the destination.</param>
    /// <param name="force">Whether an existing file is replaced.</param>
    /// <param name="written">What this command has written so far.</param>
    internal static void EnsureUsable(string path, bool force, HashSet<string> written)
    {
        if (written.Contains(path))
        {
            throw new ImageCmdletException("DestinationNotUnique", ErrorCategory.InvalidArgument,
                $"{path}: this command has just written that file, from another image. {GiveEachItsOwn}");
        }

        if (Directory.Exists(path))
        {
            throw new ImageCmdletException("DestinationIsFolder", ErrorCategory.InvalidArgument,
                $"{path}: this is a folder; -DestinationPath names the file to write.");
        }

        string? folder = System.IO.Path.GetDirectoryName(path);
        if (folder is not null && !Directory.Exists(folder))
        {
            throw new ImageCmdletException("DestinationFolderNotFound", ErrorCategory.ObjectNotFound,
                $"{path}: the folder of -DestinationPath does not exist. Create it first.");
        }

        if (!force && File.Exists(path))
        {
            throw new ImageCmdletException("DestinationExists", ErrorCategory.ResourceExists,
                $"{path}: the file of -DestinationPath exists already. Use -Force to replace it.");
        }
    }

    /// <summary>Refuses to write a raw image under a name that says qcow2, unless that was asked for.</summary>
    internal static void EnsureFormat(string path, bool isExplicit)
    {
        bool isQcow2 = System.IO.Path.GetExtension(path).ToUpperInvariant() is ".QCOW2" or ".QCOW";
        if (isQcow2 && !isExplicit)
        {
            throw FormatNotSupported();
        }
    }

    internal static ImageCmdletException FormatNotSupported() => new("DestinationFormatNotSupported", ErrorCategory.NotImplemented,
        "Writing qcow2 images is not supported in this version, which writes raw images only. "
        + "Give the destination another name, such as disk.raw, or say -DestinationFormat Raw.");

    internal static ImageCmdletException NotUnique(string path, int count) => new("DestinationNotUnique", ErrorCategory.InvalidArgument,
        $"{path}: {count} images cannot all be written to this one file; none was. {GiveEachItsOwn}");

    private const string GiveEachItsOwn =
        "Give each image a destination of its own: Get-ChildItem *.qcow2 | Convert-Qcow2Image -DestinationPath { $_.FullName + '.raw' }.";
}
