using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Says what a file is that is no QCOW2 image, by its content.</summary>
public static class FileSignatures
{
    /// <summary>Every kind that is known, in the order in which they are tried.</summary>
    public static IReadOnlyList<FileSignature> All { get; } =
    [
        .. DiskImageSignatures.All, .. PackedSignatures.All, .. RawDiskSignatures.All, .. OtherSignatures.All,
    ];

    /// <summary>Looks at a file.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <returns>Null if nothing that is known fits, as with most raw disks.</returns>
    /// <exception cref="IOException">The file could not be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FileSignature? Of(string path)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return Of(file);
    }

    /// <summary>Looks at the first and last bytes of a file.</summary>
    /// <param name="storage">The file.</param>
    /// <returns>Null if nothing that is known fits, as with most raw disks.</returns>
    /// <exception cref="IOException">The file could not be read.</exception>
    public static FileSignature? Of(BlockStorage storage) => Of(new FileContent(storage));

    internal static FileSignature? Of(FileContent content)
    {
        foreach (FileSignature signature in All)
        {
            if (signature.Matches(content))
            {
                return signature;
            }
        }

        return null;
    }

    /// <summary>The error of a file that should be a QCOW2 image.</summary>
    internal static Qcow2Exception NotQcow2(BlockStorage storage)
        => new(Qcow2ErrorCode.NotQcow2, Of(storage) is FileSignature kind
            ? $"This is not a QCOW2 image, but {kind.Description}. {kind.Advice}"
            : "This is not a QCOW2 image: it does not begin with the magic number 'QFI\\xfb'.");
}
