using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Packed;
using Qcow2.Engine.Packed.Archive;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// A file that a disk is packed in, as vendors publish them: compressed with gzip, xz, Zstandard or bzip2, or an OVA, which may have several disks. What comes out is never taken for
/// right before all check sums in the file were compared.
/// </summary>
/// <remarks>
/// A file is one if its first bytes say so and its name does, too (<c>.gz</c>, <c>.xz</c>, <c>.zst</c>, <c>.bz2</c>, <c>.ova</c>): the guest of a raw disk can write any bytes at its start.
/// What is packed in it is not unpacked again where it is packed itself.
/// </remarks>
public sealed class PackedFile
{
    private const string ArchiveExtension = ".ova";
    private const string ArchiveKind = "ova";

    private readonly PackedKind? _kind;

    private readonly string _name;

    private PackedFile(string path, string name, string kind, PackedKind? compression)
    {
        Path = path;
        Kind = kind;
        _name = name;
        _kind = compression;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What it is: <c>gzip</c>, <c>xz</c>, <c>zstd</c>, <c>bzip2</c> or <c>ova</c>.</summary>
    public string Kind { get; }

    /// <summary>Whether the disks lie in the file as they are, so that they are read where they lie.</summary>
    public bool IsArchive => _kind is null;

    /// <summary>Says what a file is packed as.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="name">Its name.</param>
    /// <returns>Null if it is not packed in a way that is known here, or not called so.</returns>
    /// <exception cref="IOException">The file could not be read.</exception>
    public static PackedFile? Recognize(BlockStorage storage, string name)
    {
        if (PackedKind.Of(storage, name) is PackedKind kind)
        {
            return new PackedFile(storage.Path, name, kind.Name, kind);
        }

        return string.Equals(System.IO.Path.GetExtension(name), ArchiveExtension, StringComparison.OrdinalIgnoreCase)
            && FileSignatures.Of(new FileContent(storage)) is { Id: "tar" }
            ? new PackedFile(storage.Path, name, ArchiveKind, null)
            : null;
    }

    /// <summary>Whether a name is one that a packed file may have; what the file is says only <see cref="Recognize"/>.</summary>
    /// <param name="name">The name.</param>
    public static bool IsCalledPacked(string name)
        => System.IO.Path.GetExtension(name) is string extension
            && (string.Equals(extension, ArchiveExtension, StringComparison.OrdinalIgnoreCase)
                || PackedKind.All.Any(kind => kind.Extensions.Contains(extension, StringComparer.OrdinalIgnoreCase)));

    /// <summary>The disks in it.</summary>
    /// <param name="storage">The file.</param>
    /// <returns>One of what is compressed, called as the file without its last extension; of an OVA those of its descriptor, in its order.</returns>
    /// <exception cref="Qcow2Exception">The archive is cut off or damaged, or has no descriptor.</exception>
    public IReadOnlyList<PackedDisk> ReadDisks(BlockStorage storage) => _kind is not null
        ? [new PackedDisk(Kind, System.IO.Path.GetFileNameWithoutExtension(_name), _kind, null)]
        : [.. OvaArchive.ReadDisks(storage, out IReadOnlyList<TarEntry> manifests).Select(entry => new PackedDisk(Kind, entry.Name, null, entry, manifests))];

    /// <summary>The disk of a name, or the only one.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="name">The name, in letters of either case where that is enough; null for the only one.</param>
    /// <exception cref="Qcow2Exception">There are several, or none of that name (<see cref="Qcow2ErrorCode.DiskNotSpecified"/>).</exception>
    public PackedDisk FindDisk(BlockStorage storage, string? name)
    {
        IReadOnlyList<PackedDisk> disks = ReadDisks(storage);
        string all = string.Join(", ", disks.Select(disk => $"'{Errors.PrintableText.Of(disk.Name)}'"));
        if (disks.Count == 0)
        {
            throw Qcow2Errors.Unsupported("The descriptor of the OVA names no disk that has a file.").At(Path);
        }

        if (name is null)
        {
            return disks.Count == 1 ? disks[0] : throw new Qcow2Exception(Qcow2ErrorCode.DiskNotSpecified, $"There are {disks.Count} disks in the file; say which: {all}.").At(Path);
        }

        return disks.FirstOrDefault(disk => disk.Name == name)
            ?? disks.FirstOrDefault(disk => string.Equals(disk.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new Qcow2Exception(Qcow2ErrorCode.DiskNotSpecified, $"There is no disk '{Errors.PrintableText.Of(name)}' in the file; there is {all}.").At(Path);
    }
}
