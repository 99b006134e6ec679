using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Every fixture that can be read, into every layout in turn and into a raw file.</summary>
public sealed class ConversionRoundTripTests : IDisposable
{
    private const int LayoutsEach = 3;

    private static readonly List<(string Name, Qcow2CreateOptions Layout, bool Compress)> Layouts =
    [
        ("plain", new(), false),
        ("cluster 512", new() { ClusterSize = 512 }, false),
        ("cluster 512, compressed", new() { ClusterSize = 512 }, true),
        ("cluster 4096", new() { ClusterSize = 4096, RefcountBits = 64 }, false),
        ("cluster 2M", new() { ClusterSize = 2 << 20 }, false),
        ("cluster 2M, compressed", new() { ClusterSize = 2 << 20, CompressionType = CompressionType.Zstd }, true),
        ("version 2", new() { Version = 2 }, false),
        ("version 2, compressed", new() { Version = 2 }, true),
        ("refcount 1", new() { RefcountBits = 1, ClusterSize = 8192 }, false),
        ("refcount 1, compressed", new() { RefcountBits = 1 }, true),
        ("refcount 2, compressed", new() { RefcountBits = 2, ClusterSize = 16_384 }, true),
        ("extended", new() { ExtendedL2 = true }, false),
        ("extended, 16K", new() { ExtendedL2 = true, ClusterSize = 16_384 }, false),
        ("extended, compressed", new() { ExtendedL2 = true, CompressionType = CompressionType.Zstd }, true),
        ("data file", new() { DataFile = "copy.data" }, false),
        ("data file, extended", new() { DataFile = "copy.data", ExtendedL2 = true }, false),
        ("data file, raw", new() { DataFile = "copy.data", DataFileRaw = true }, false),
        ("luks", new() { Encryption = EncryptionMethod.Luks }, false),
        ("luks, extended", new() { Encryption = EncryptionMethod.Luks, ExtendedL2 = true }, false),
        ("luks, metadata", new() { Encryption = EncryptionMethod.Luks, Preallocation = Preallocation.Metadata }, false),
        ("metadata", new() { Preallocation = Preallocation.Metadata }, false),
        ("falloc", new() { Preallocation = Preallocation.Falloc, ClusterSize = 4096 }, false),
        ("full", new() { Preallocation = Preallocation.Full, ExtendedL2 = true }, false),
        ("metadata, compressed", new() { Preallocation = Preallocation.Metadata, LazyRefcounts = true }, true),
        ("zstd", new() { CompressionType = CompressionType.Zstd }, true),
    ];

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => Fixtures.WithContent;

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void Fixture_stays_the_same_in_other_layouts(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image source = fixture.Open();
        byte[] content = DiskModel.ReadAll(source);
        int number = Fixtures.All.Select(one => one.Name).ToList().IndexOf(name);
        for (int i = 0; i < LayoutsEach; i++)
        {
            (string layoutName, Qcow2CreateOptions layout, bool compress) = Layouts[((number * LayoutsEach) + i) % Layouts.Count];
            bool isEncrypted = layout.Encryption != EncryptionMethod.None;
            using Passphrase? key = isEncrypted ? Passphrase.FromString(ConversionJudge.Password) : null;
            string path = _folder.File($"{i}/copy.qcow2");

            DiskConverter.ConvertToQcow2(
                source,
                path,
                layout with { Passphrase = key, KeyDerivationTime = TimeSpan.Zero },
                options: new ConversionOptions { Compress = compress, ThrottleLimit = 1 + (number % 3) });

            string label = $"{name} as {layoutName}";
            ConversionJudge.AssertImage(label, ConversionJudge.WholeSectors(content), path, isEncrypted, asksQemu: i == number % LayoutsEach);
            if (layout.DataFileRaw)
            {
                ConversionJudge.AssertSame(label, ConversionJudge.WholeSectors(content), File.ReadAllBytes(_folder.File($"{i}/copy.data")));
            }
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Fixture_stays_the_same_as_a_raw_file(string name)
    {
        using Qcow2Image source = Fixtures.Get(name).Open();
        foreach (int sparseSize in (int[])[0, 512, 2 << 20])
        {
            string path = _folder.File($"{sparseSize}.raw");

            DiskConverter.ConvertToRaw(source, path, options: new ConversionOptions { SparseSize = sparseSize });

            ConversionJudge.AssertSame($"{name}, blocks of {sparseSize}", DiskModel.ReadAll(source), File.ReadAllBytes(path));
            File.Delete(path);
        }
    }

    [Theory, MemberData(nameof(SnapshotNames))]
    public void Snapshot_becomes_a_disk_of_its_own(string name)
    {
        using Qcow2Image image = Fixtures.Get(name).Open();
        foreach (SnapshotTableEntry entry in image.Snapshots)
        {
            using VirtualDisk snapshot = image.OpenSnapshot(entry);
            string path = _folder.File($"{entry.Id}.qcow2");

            DiskConverter.ConvertToQcow2(snapshot, path, options: new ConversionOptions { Compress = true });

            ConversionJudge.AssertImage($"{name} {entry.Id}", ConversionJudge.WholeSectors(DiskModel.ReadAll(snapshot)), path, asksQemu: false);
        }
    }

    public static TheoryData<string> SnapshotNames => Fixtures.WithSnapshots;
}
