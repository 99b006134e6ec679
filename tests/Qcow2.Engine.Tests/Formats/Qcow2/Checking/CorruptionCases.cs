using System.IO.Compression;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Images with one thing wrong, for every structure and field.</summary>
internal static partial class CorruptionCases
{
    private const ulong Copied = 1UL << 63;
    private const ulong CompressedFlag = 1UL << 62;

    private static readonly Lazy<IReadOnlyList<CorruptionCase>> Made = new(() =>
    [
        .. Mapping(), .. Subclusters(), .. Compressed(), .. DataFiles(), .. Refcounts(), .. RefcountStructure(), .. Headers(), .. Snapshots(), .. Bitmaps(),
    ]);

    internal static IReadOnlyList<CorruptionCase> All => Made.Value;

    internal static CorruptionCase Get(string name) => All.First(made => made.Name == name);

    /// <summary>What is left for people to decide: which of two uses of a place is right, and where a table that is not there may be.</summary>
    private static readonly string[] BeyondRepair =
    [
        "L1 entry leads to the L1 table", "data file: compressed entry", "data file: compressed and copied entry",
        "file cut off inside the header", "file cut off after the header", "l1_table_offset is 0", "l1_size larger",
        "extension past the cluster",
        "v3: l1_size 0", "disk too large for L1",
        "bitmaps: table is the other's",
    ];

    internal static bool IsBeyondRepair(string name) => BeyondRepair.Any(name.Contains);

    private static BuiltImage Plain(int version = 3) => new ImageBuilder { Version = version, DataClusters = 4 }.Build();

    private static BuiltImage Extended() => new ImageBuilder { ClusterBits = 14, ExtendedL2 = true, DataClusters = 3 }.Build();

    private static BuiltImage WithSnapshots(int version = 3)
        => new ImageBuilder { Version = version, DataClusters = 3, Snapshots = [new("1", "first", version == 2 ? 0 : 24), new("2", "second")] }.Build();

    private static BuiltImage WithBitmaps() => new ImageBuilder { Size = 64 << 20, DataClusters = 2, Bitmaps = [new("a", 9), new("b", 16, 0)] }.Build();

    private static BuiltImage Packed(bool extended = false)
    {
        int bits = extended ? 14 : 12;
        byte[][] contents = [ImageBuilder.Content(12345, 1 << bits), ImageBuilder.Content(77, 1 << bits), ImageBuilder.Content(1 << 20, 1 << bits)];
        return new ImageBuilder { ClusterBits = bits, ExtendedL2 = extended, CompressedStreams = [.. contents.Select(Deflate)], CompressedContents = contents }.Build();
    }

    private static BuiltImage WithDataFile() => new ImageBuilder
    {
        IncompatibleFeatures = 4,
        DataClusters = 0,
        Extensions = [(ExtensionType.DataFile, "data.raw"u8.ToArray())],
    }.Build();

    private static byte[] Deflate(byte[] content)
    {
        var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(content);
        }

        return packed.ToArray();
    }

    private static int End(BuiltImage image) => image.Bytes.Length;

    private static CorruptionCase Case(string name, Func<BuiltImage> image, Func<BuiltImage, BuiltImage> change) => new(name, () => change(image()));

    private static CorruptionCase Plain(string name, Func<BuiltImage, BuiltImage> change) => Case(name, () => Plain(), change);
}
