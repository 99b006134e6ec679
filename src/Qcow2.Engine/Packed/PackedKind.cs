using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Packed.Bzip2;
using Qcow2.Engine.Packed.Gzip;
using Qcow2.Engine.Packed.Xz;
using Qcow2.Engine.Packed.Zstd;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>What a file is compressed with, that one can unpack here.</summary>
internal sealed class PackedKind
{
    private readonly Func<PackedInput, PackedReader> _open;
    private readonly Func<BlockStorage, CancellationToken, long?> _length;
    private readonly Func<BlockStorage, long?> _guess;

    private PackedKind(
        string name, string[] extensions, Func<PackedInput, PackedReader> open, Func<BlockStorage, CancellationToken, long?>? length = null, Func<BlockStorage, long?>? guess = null)
    {
        Name = name;
        Extensions = extensions;
        _open = open;
        _length = length ?? ((_, _) => null);
        _guess = guess ?? (_ => null);
    }

    /// <summary>Every kind. The names are those of what <see cref="FileSignatures"/> tells by the same marks.</summary>
    internal static IReadOnlyList<PackedKind> All { get; } =
    [
        new("gzip", [".gz"], input => new GzipReader(input), guess: GzipLength.Guess),
        new("xz", [".xz"], input => new XzReader(input), (file, _) => XzLength.Of(file)),
        new("zstd", [".zst", ".zstd"], input => new ZstdReader(input), ZstdLength.Of),
        new("bzip2", [".bz2"], input => new Bzip2Reader(input)),
    ];

    /// <summary>What it is called, in lower case.</summary>
    internal string Name { get; }

    /// <summary>How names end of files that are packed so.</summary>
    internal IReadOnlyList<string> Extensions { get; }

    /// <summary>Finds a kind by its name.</summary>
    internal static PackedKind? Find(string? name) => All.FirstOrDefault(kind => string.Equals(kind.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Decides whether a file is packed, by its mark and its name together: the guest of a raw disk can write any mark at its start.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="name">Its name.</param>
    internal static PackedKind? Of(BlockStorage storage, string name)
    {
        string extension = System.IO.Path.GetExtension(name);
        PackedKind? called = All.FirstOrDefault(kind => kind.Extensions.Contains(extension, StringComparer.OrdinalIgnoreCase));
        return called is null || FileSignatures.All.First(signature => signature.Id == called.Name) is not FileSignature mark ? null
            : mark.Matches(new FileContent(storage)) ? called : null;
    }

    /// <summary>Begins to unpack a file, which stays the caller's.</summary>
    internal PackedReader Open(PackedInput input) => _open(input);

    /// <summary>How many bytes a file holds, where it says so.</summary>
    /// <returns>Null if it does not; then only unpacking it tells.</returns>
    /// <exception cref="Qcow2Exception">The file is cut off or damaged.</exception>
    internal long? LengthOf(BlockStorage storage, CancellationToken cancellationToken) => _length(storage, cancellationToken);

    /// <summary>How many bytes a file seems to hold, where it says something of that and may mean something else.</summary>
    internal long? GuessLengthOf(BlockStorage storage) => _guess(storage);
}
