using System.IO.Compression;
using System.Text.Json;

namespace Qcow2.Tests;

/// <summary>
/// The committed images of tests/Fixtures. The <see cref="TheoryData{T}"/> members hold names, which every test runner can
/// show and select; <see cref="Get"/> gives the fixture.
/// </summary>
public static class Fixtures
{
    private static readonly string Source = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private static readonly Lazy<IReadOnlyList<Fixture>> Listed = new(ReadList);

    private static readonly Lazy<string> Unpacked = new(Unpack);

    /// <summary>Every fixture, in the order of the README.</summary>
    public static IReadOnlyList<Fixture> All => Listed.Value;

    /// <summary>
    /// The folder of the unpacked images, made on first use and deleted when the process ends. Shared by all tests: not to be
    /// written.
    /// </summary>
    public static string Root => Unpacked.Value;

    /// <summary>Names of all fixtures.</summary>
    public static TheoryData<string> Names => Select(_ => true);

    /// <summary>Names of the fixtures that open, when nothing they refer to is opened.</summary>
    public static TheoryData<string> Sound => Select(fixture => fixture.Error is null);

    /// <summary>Names of the fixtures that must be refused; see <see cref="Fixture.Error"/>.</summary>
    public static TheoryData<string> Refused => Select(fixture => fixture.Error is not null);

    /// <summary>Names of the fixtures whose references must be refused; see <see cref="Fixture.ReferenceError"/>.</summary>
    public static TheoryData<string> ReferenceRefused => Select(fixture => fixture.ReferenceError is not null);

    /// <summary>
    /// Names of the fixtures whose whole disk can be read and has a hash. Those with a <see cref="Fixture.ReferenceError"/>
    /// are not among them.
    /// </summary>
    public static TheoryData<string> WithContent => Select(fixture => fixture.DiskSha256 is not null && fixture.ReferenceError is null);

    /// <summary>Names of the fixtures that have snapshots with hashes.</summary>
    public static TheoryData<string> WithSnapshots => Select(fixture => fixture.SnapshotSha256.Count > 0);

    /// <summary>Names of the fixtures with a map, without those that have a <see cref="Fixture.ReferenceError"/>.</summary>
    public static TheoryData<string> WithMap => Select(fixture => fixture.HasMap && fixture.ReferenceError is null);

    /// <summary>Names of the fixtures that have a passphrase.</summary>
    public static TheoryData<string> Encrypted => Select(fixture => fixture.Passphrase is not null);

    /// <summary>The fixture with a name.</summary>
    public static Fixture Get(string name)
        => All.FirstOrDefault(fixture => fixture.Name == name) ?? throw new ArgumentException($"There is no fixture '{name}'.", nameof(name));

    /// <summary>Names of the fixtures that fit a condition, for a test's own MemberData.</summary>
    public static TheoryData<string> Select(Func<Fixture, bool> condition) => [.. All.Where(condition).Select(fixture => fixture.Name)];

    internal static bool HasExpected(string file) => File.Exists(Path.Combine(Source, "expected", file));

    internal static string[] ReadLines(string file) => File.ReadAllLines(Path.Combine(Source, "expected", file));

    internal static JsonDocument ReadJson(string file) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Source, "expected", file)));

    private static List<Fixture> ReadList()
        => [.. File.ReadLines(Path.Combine(Source, "fixtures.tsv")).Skip(1).Select(line => line.Split('\t')).Select(cells => new Fixture(
            cells[0],
            cells[1],
            cells[2].Split(',', StringSplitOptions.RemoveEmptyEntries),
            NullIfEmpty(cells[3]),
            NullIfEmpty(cells[4])))];

    private static string? NullIfEmpty(string cell) => cell.Length == 0 ? null : cell;

    private static string Unpack()
    {
        var folder = new TempFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();

        string images = Path.Combine(Source, "images");
        foreach (string file in Directory.EnumerateFiles(images, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(images, file);
            using FileStream stored = File.OpenRead(file);
            if (name.EndsWith(".gz", StringComparison.Ordinal))
            {
                using GZipStream content = new(stored, CompressionMode.Decompress);
                SparseFile.Write(content, folder.File(name[..^3]));
            }
            else
            {
                SparseFile.Write(stored, folder.File(name));
            }
        }

        return folder.Path;
    }
}
