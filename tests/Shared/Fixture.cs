using System.Text.Json;

namespace Qcow2.Tests;

/// <summary>An image that qemu-img made, and what qemu-img says of it. See tests/Fixtures/README.md for each.</summary>
public sealed class Fixture
{
    private readonly Lazy<IReadOnlyDictionary<string, string>> _hashes;

    internal Fixture(string name, string file, string[] passphrases, string? error, string? referenceError)
    {
        Name = name;
        File = file;
        Passphrases = passphrases;
        Error = error;
        ReferenceError = referenceError;
        _hashes = new(ReadHashes);
    }

    /// <summary>The name of the fixture and of its files in <c>expected</c>.</summary>
    public string Name { get; }

    /// <summary>The file's name relative to the folder of all images, with forward slashes.</summary>
    public string File { get; }

    /// <summary>Every passphrase that opens the image; empty if it is not encrypted.</summary>
    public IReadOnlyList<string> Passphrases { get; }

    /// <summary>A passphrase that opens the image; null if it is not encrypted.</summary>
    public string? Passphrase => Passphrases.Count == 0 ? null : Passphrases[0];

    /// <summary>Name of the Qcow2ErrorCode with which the image itself must be refused; null if it is sound.</summary>
    public string? Error { get; }

    /// <summary>
    /// Name of the Qcow2ErrorCode with which opening the files that the image refers to must be refused; null if they are
    /// sound. The image alone opens.
    /// </summary>
    public string? ReferenceError { get; }

    /// <summary>
    /// Full path of the unpacked image, beside the files it refers to. Shared by all tests: not to be written. See
    /// <see cref="CopyTo"/>.
    /// </summary>
    public string Path => System.IO.Path.GetFullPath(File, Fixtures.Root);

    /// <summary><c>qemu-img info --output=json</c>. Not there for an image that qemu-img refuses.</summary>
    public bool HasInfo => Fixtures.HasExpected(Name + ".info.json");

    /// <inheritdoc cref="HasInfo"/>
    public JsonDocument ReadInfo() => Fixtures.ReadJson(Name + ".info.json");

    /// <summary><c>qemu-img map --output=json</c>. Not there for an image whose references qemu-img cannot open.</summary>
    public bool HasMap => Fixtures.HasExpected(Name + ".map.json");

    /// <inheritdoc cref="HasMap"/>
    public JsonDocument ReadMap() => Fixtures.ReadJson(Name + ".map.json");

    /// <summary><c>qemu-img check --output=json</c>; there wherever <see cref="HasMap"/> is true.</summary>
    public JsonDocument ReadCheck() => Fixtures.ReadJson(Name + ".check.json");

    /// <summary>Lists what is dirty in a bitmap: an array of <c>start</c>, <c>length</c> and <c>dirty</c>.</summary>
    public JsonDocument ReadBitmap(string bitmap) => Fixtures.ReadJson($"{Name}.bitmap.{bitmap}.json");

    /// <summary>SHA-256, in lower-case hexadecimal, of the whole disk; null where there is none.</summary>
    public string? DiskSha256 => _hashes.Value.GetValueOrDefault("disk");

    /// <summary>SHA-256 of the disk that each snapshot holds, by the snapshot's id.</summary>
    public IReadOnlyDictionary<string, string> SnapshotSha256
        => _hashes.Value.Where(pair => pair.Key.StartsWith("snapshot:", StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key["snapshot:".Length..], pair => pair.Value);

    /// <summary>SHA-256 of ranges of a disk too large to be hashed whole.</summary>
    public IReadOnlyList<(long Offset, int Length, string Sha256)> RangeSha256
        => [.. _hashes.Value.Where(pair => pair.Key.StartsWith("range:", StringComparison.Ordinal)).Select(ParseRange)];

    /// <summary>
    /// Copies the image and, in the same layout, the files it refers to, for a test that writes. Returns the copy's path.
    /// </summary>
    public string CopyTo(TempFolder folder)
    {
        string target = folder.File(File);
        if (System.IO.File.Exists(target))
        {
            return target;
        }

        SparseCopy(Path, target);
        foreach (string reference in References())
        {
            string relative = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(File)!, reference);
            string source = System.IO.Path.GetFullPath(System.IO.Path.Combine(Fixtures.Root, relative));
            relative = System.IO.Path.GetRelativePath(Fixtures.Root, source).Replace('\\', '/');
            if (Fixtures.All.FirstOrDefault(fixture => fixture.File == relative) is Fixture other)
            {
                other.CopyTo(folder);
            }
            else if (System.IO.File.Exists(source) && !System.IO.File.Exists(folder.File(relative)))
            {
                SparseCopy(source, folder.File(relative));
            }
        }

        return target;
    }

    public override string ToString() => Name;

    private static void SparseCopy(string source, string target)
    {
        using FileStream stream = System.IO.File.OpenRead(source);
        SparseFile.Write(stream, target);
    }

    private static (long Offset, int Length, string Sha256) ParseRange(KeyValuePair<string, string> pair)
    {
        string[] parts = pair.Key["range:".Length..].Split('+');
        return (long.Parse(parts[0], Invariant), int.Parse(parts[1], Invariant), pair.Value);
    }

    private static System.Globalization.CultureInfo Invariant => System.Globalization.CultureInfo.InvariantCulture;

    private List<string> References()
    {
        var names = new List<string>();
        if (!HasInfo)
        {
            return names;
        }

        using JsonDocument info = ReadInfo();
        JsonElement root = info.RootElement;
        if (root.TryGetProperty("backing-filename", out JsonElement backing))
        {
            names.Add(backing.GetString()!);
        }

        if (root.GetProperty("format-specific").GetProperty("data").TryGetProperty("data-file", out JsonElement data))
        {
            names.Add(data.GetString()!);
        }

        return [.. names.Where(name => !name.Contains(':'))];
    }

    private Dictionary<string, string> ReadHashes()
    {
        string file = Name + ".sha256";
        return Fixtures.HasExpected(file)
            ? Fixtures.ReadLines(file).Select(line => line.Split("  ", 2)).ToDictionary(parts => parts[1], parts => parts[0])
            : [];
    }
}
