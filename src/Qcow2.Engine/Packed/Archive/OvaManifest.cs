using System.Security.Cryptography;
using System.Text;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Archive;

/// <summary>
/// The manifest of an OVF package (DSP0243): a line for each file, <c>SHA256(disk.vmdk)= </c> and the digits. Read is what it says of one file, and nothing is opened by a name in it.
/// </summary>
internal static class OvaManifest
{
    /// <summary>An archive has 10,000 files at most here, and the lines of these fit.</summary>
    private const long MostBytes = 4 << 20;

    /// <summary>What a message shows of a text that somebody else wrote.</summary>
    private const int MostShown = 140;

    /// <summary>Unknown algorithms that are named.</summary>
    private const int MostUnknown = 3;

    /// <summary>By their names without dashes. OpenSSL calls those of SHA-2 <c>SHA2-256</c> since its version 3.</summary>
    private static readonly Dictionary<string, (HashAlgorithmName Name, int Length)> Algorithms = new(StringComparer.OrdinalIgnoreCase)
    {
        ["SHA1"] = (HashAlgorithmName.SHA1, 20),
        ["SHA256"] = (HashAlgorithmName.SHA256, 32),
        ["SHA2256"] = (HashAlgorithmName.SHA256, 32),
        ["SHA384"] = (HashAlgorithmName.SHA384, 48),
        ["SHA2384"] = (HashAlgorithmName.SHA384, 48),
        ["SHA512"] = (HashAlgorithmName.SHA512, 64),
        ["SHA2512"] = (HashAlgorithmName.SHA512, 64),
    };

    /// <summary>The files of an archive that may be the manifest of its descriptor: called as that is, or the only one that is called as a manifest.</summary>
    internal static IReadOnlyList<TarEntry> Find(IReadOnlyList<TarEntry> entries, TarEntry descriptor)
    {
        TarEntry[] all = [.. entries.Where(entry => entry.Name.EndsWith(".mf", StringComparison.OrdinalIgnoreCase))];
        string name = OvaArchive.Plain(System.IO.Path.ChangeExtension(descriptor.Name, ".mf"));
        TarEntry[] named = [.. all.Where(entry => string.Equals(OvaArchive.Plain(entry.Name), name, StringComparison.OrdinalIgnoreCase))];
        return named.Length > 0 ? named : all.Length == 1 ? all : [];
    }

    /// <summary>Says what the manifest has for a file.</summary>
    /// <param name="storage">The archive.</param>
    /// <param name="manifests">What may be the manifest.</param>
    /// <param name="file">The file's name.</param>
    internal static DiskManifest Read(BlockStorage storage, IReadOnlyList<TarEntry> manifests, string file)
    {
        if (manifests.Count == 0)
        {
            return DiskManifest.Said(ManifestState.NotMentioned, "There is no manifest in the archive, so that nothing says what its disks must be.");
        }

        if (manifests.Count > 1)
        {
            return DiskManifest.Said(ManifestState.Differs, $"The archive has {manifests.Count} manifests of one name, and nothing says which of them counts.");
        }

        TarEntry entry = manifests[0];
        string called = $"The manifest '{Shown(entry.Name)}' in the archive";
        if (entry.Problem is not null)
        {
            return DiskManifest.Said(ManifestState.Differs, $"{called} cannot be read: {entry.Problem}");
        }

        if (entry.Length > MostBytes)
        {
            return DiskManifest.Said(ManifestState.Differs, $"{called} has {entry.Length} bytes, and {MostBytes} are the most that are read.");
        }

        byte[] bytes = new byte[(int)entry.Length];
        storage.ReadExactly(entry.Offset, bytes);
        return Of(Encoding.UTF8.GetString(bytes), called, OvaArchive.Plain(file));
    }

    private static DiskManifest Of(string text, string called, string file)
    {
        var known = new Dictionary<HashAlgorithmName, ExpectedHash>();
        var unknown = new List<string>();
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start);
            end = end < 0 ? text.Length : end;
            if (TryParse(text, start, end, file) is not (string algorithm, string digits))
            {
            }
            else if (!Algorithms.TryGetValue(algorithm.Replace("-", ""), out (HashAlgorithmName Name, int Length) its))
            {
                if (unknown.Count < MostUnknown && !unknown.Contains(Shown(algorithm)))
                {
                    unknown.Add(Shown(algorithm));
                }
            }
            else if (ExpectedHash.TryParse(its.Name, its.Length, digits) is not ExpectedHash hash)
            {
                return DiskManifest.Said(ManifestState.Differs, $"{called} has '{Shown(digits)}' for '{Shown(file)}', which is no {its.Name.Name} sum: {2 * its.Length} hexadecimal digits are one.");
            }
            else if (!known.TryGetValue(its.Name, out ExpectedHash? before))
            {
                known.Add(its.Name, hash);
            }
            else if (before.ToString() != hash.ToString())
            {
                return DiskManifest.Said(ManifestState.Differs, $"{called} has two sums for '{Shown(file)}', {before} and {hash}, of which one is wrong.");
            }

            start = end + 1;
        }

        return known.Count > 0 ? DiskManifest.Of([.. known.Values], called, Shown(file))
            : unknown.Count > 0 ? DiskManifest.Said(ManifestState.NotCompared, $"{called} has a sum for '{Shown(file)}' of a kind that is not known here ({string.Join(", ", unknown)}), so that nobody compared it.")
            : DiskManifest.Said(ManifestState.NotMentioned, $"{called} has no line for '{Shown(file)}', so that nothing says what it must be.");
    }

    /// <summary>Reads a line: an algorithm, a name in brackets, an equals sign, digits. Some programs write blanks between them.</summary>
    /// <returns>Null if it is about another file, or no such line.</returns>
    private static (string Algorithm, string Digits)? TryParse(string text, int start, int end, string file)
    {
        // A name may have brackets and equals signs itself, the digits have none.
        int equals = end > start ? text.LastIndexOf('=', end - 1, end - start) : -1;
        int open = equals > start ? text.IndexOf('(', start, equals - start) : -1;
        int close = open > start ? text.LastIndexOf(')', equals - 1, equals - open) : -1;
        if (close < 0 || !IsBlank(text, close + 1, equals))
        {
            return null;
        }

        int name = open + 1;
        if (close - name > 1 && string.CompareOrdinal(text, name, "./", 0, 2) == 0)
        {
            name += 2;
        }

        return close - name == file.Length && string.CompareOrdinal(text, name, file, 0, file.Length) == 0
            ? (text.Substring(start, open - start).Trim(' ', '\t', '\uFEFF'), text.Substring(equals + 1, end - equals - 1).Trim())
            : null;
    }

    private static bool IsBlank(string text, int start, int end)
    {
        while (start < end && text[start] is ' ' or '\t')
        {
            start++;
        }

        return start >= end;
    }

    private static string Shown(string text) => PrintableText.Of(text.Length > MostShown ? $"{text.Substring(0, MostShown)}..." : text);
}
