using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
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
    /// <param name="written">What this command has written so far, as <see cref="KeyOf"/> has it.</param>
    /// <param name="parameter">The parameter that named the file, with its dash.</param>
    /// <param name="usage">The cmdlet and the parameter that names the file.</param>
    internal static void EnsureUsable(string path, bool force, HashSet<string> written, string parameter, string usage)
    {
        if (written.Contains(KeyOf(path)))
        {
            throw WrittenAlready(path, usage);
        }

        EnsureUsable(path, force, parameter);
    }

    /// <summary>Refuses a file before anything is written.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="force">Whether an existing file is replaced.</param>
    /// <param name="parameter">The parameter that named it, with its dash.</param>
    internal static void EnsureUsable(string path, bool force, string parameter)
    {
        if (System.IO.Path.DirectorySeparatorChar == '\\' && WindowsTypedPath.ProblemOf(path, isNew: true) is string problem)
        {
            throw ImageCmdletException.PathInvalid(problem);
        }

        var destination = Destination.At(path);
        if (destination.Kind == FileKind.Folder)
        {
            throw IsFolder(path, parameter);
        }

        if (!Directory.Exists(destination.Folder))
        {
            throw new ImageCmdletException("DestinationFolderNotFound", ErrorCategory.ObjectNotFound,
                $"{path}: the folder of {parameter}{(destination.Target == destination.Path ? "" : $", which is a link to {destination.Target},")} does not exist. Create it first.");
        }

        if (!force && destination.Kind == FileKind.Regular)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.DestinationExists,
                $"{path}: the file of {parameter} exists already. Use -Force to replace it.");
        }

        destination.EnsureReplaceable(force);
    }

    /// <summary>Refuses to take away the file of an image that this command has just made.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="written">What this command has written so far, as <see cref="KeyOf"/> has it.</param>
    internal static void EnsureOwnData(string path, HashSet<string> written)
    {
        if (written.Contains(KeyOf(path)))
        {
            throw new ImageCmdletException("DestinationNotUnique", ErrorCategory.InvalidArgument,
                $"{path}: this command has just written that file, for another image. Each image needs a data file of its own; make each with a command of its own.");
        }
    }

    /// <summary>Refuses what no disk can be written into.</summary>
    /// <param name="path">Full path of what is there already.</param>
    /// <param name="parameter">The parameter that named it, with its dash.</param>
    /// <param name="why">A sentence that says why the file must be there.</param>
    internal static void EnsureDisk(string path, string parameter, string why = "-NoCreate writes into what exists.")
    {
        var destination = Destination.At(path);
        switch (destination.Kind)
        {
            case FileKind.Regular or FileKind.BlockDevice:
                return;
            case FileKind.Folder when Directory.Exists(path):
                throw IsFolder(path, parameter);
            case FileKind.None or FileKind.Folder:
                throw new ItemNotFoundException($"Cannot find path '{path}' of {parameter} because it does not exist. {why}");
            default:
                destination.EnsureReplaceable(overwrite: true); // Says what it is.
                return;
        }
    }

    /// <summary>By what a destination is known again: the file itself, whatever links lead to it.</summary>
    internal static string KeyOf(string path) => Destination.At(path).Key;

    /// <summary>The format that a destination's name stands for.</summary>
    /// <exception cref="ImageCmdletException">The name is that of another format of disk images: a raw file of that name would deceive.</exception>
    internal static DiskFormat FormatOf(string path) => NamedFormatOf(path, "-DestinationFormat") ?? DiskFormats.Raw;

    /// <summary>The format that a destination's name stands for; null where it stands for none.</summary>
    /// <param name="path">The destination.</param>
    /// <param name="parameter">The parameter that says the format whatever the name is.</param>
    /// <exception cref="ImageCmdletException">The name is that of another format of disk images, or of what images are packed in: another file of that name would deceive.</exception>
    internal static DiskFormat? NamedFormatOf(string path, string parameter)
    {
        if (DiskFormats.OfNewFile(path) is DiskFormat named)
        {
            return named;
        }

        string extension = System.IO.Path.GetExtension(path);
        if (PackedFile.IsCalledPacked(path))
        {
            throw new ImageCmdletException(
                "DestinationFormatUnsupported", ErrorCategory.InvalidArgument,
                $"{path}: '{extension}' is the name of a packed file, and nothing is packed here. Give the file a name that ends in that of its format ({Writable}), and pack it afterwards if that is meant; "
                + $"or say {parameter} if it is to have that name all the same.");
        }

        return extension.ToUpperInvariant() switch
        {
            ".VHD" or ".VHDX" or ".AVHD" or ".AVHDX" or ".VMDK" or ".VDI" or ".HDD" or ".HDS" or ".QED" or ".DMG" => throw new ImageCmdletException(
                "DestinationFormatUnsupported", ErrorCategory.InvalidArgument,
                $"{path}: '{extension}' is the name of a format that is not written here; {Writable} are. Give the file a name that ends in the name of one of these, or say "
                + $"{parameter} Raw if it is to be a raw file of that name."),
            _ => null,
        };
    }

    /// <summary>Several images would be written to one file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="count">How many images.</param>
    /// <param name="usage">The cmdlet and the parameter that names the file.</param>
    internal static ImageCmdletException NotUnique(string path, int count, string usage = ConvertUsage)
        => new("DestinationNotUnique", ErrorCategory.InvalidArgument,
            $"{path}: {count} images cannot all be written to this one file; none was. {GiveEachItsOwn(usage)}");

    /// <summary>A file that was written for another image already.</summary>
    internal static ImageCmdletException WrittenAlready(string path, string usage = ConvertUsage)
        => new("DestinationNotUnique", ErrorCategory.InvalidArgument,
            $"{path}: this command has just written that file, from another image. {GiveEachItsOwn(usage)}");

    internal static Qcow2Exception IsSource(string path, string source) => new(Qcow2ErrorCode.DestinationIsSource,
        $"{path}: {source} is read from this very file, directly or through its backing chain, so that it cannot be the destination.");

    private static string Writable
    {
        get
        {
            string[] names = [.. DiskFormats.All.Where(format => format.CanCreate).Select(format => format.Name)];
            return string.Join(", ", names.Take(names.Length - 1)) + " and " + names[names.Length - 1];
        }
    }

    private const string ConvertUsage = "Convert-Qcow2Image -DestinationPath";

    private static ImageCmdletException IsFolder(string path, string parameter)
        => new(nameof(Qcow2ErrorCode.DestinationIsFolder), ErrorCategory.InvalidArgument, $"{path}: this is a folder; {parameter} names the file to write.");

    private static string GiveEachItsOwn(string usage)
        => $"Give each image a destination of its own: Get-ChildItem *.qcow2 | {usage} {{ $_.FullName + '.raw' }}.";
}
