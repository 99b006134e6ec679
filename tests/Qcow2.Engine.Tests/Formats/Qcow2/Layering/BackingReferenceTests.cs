using System.Buffers.Binary;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>The header's words on the backing file: changed at once, whatever lies around them and whenever it is cut off.</summary>
public sealed class BackingReferenceTests : IDisposable
{
    private const HeaderExtensionType Unknown = (HeaderExtensionType)0x1234_5678;

    private static readonly string Long = "folder/" + new string('n', 1000) + ".qcow2";

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Starts => ["fixture", "v2", "none", "unknown", "unknown-none", "many", "many-none", "full", "no-format", "header-120"];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Starts))]
    public void Crash_leaves_the_old_reference_or_the_new_one_and_all_other_extensions(string start)
    {
        int seed = TestRounds.Seed(start);
        var random = new Random(seed);
        byte[] file = Start(start);
        BackingReference?[] references =
        [
            new("base.raw", "raw"), null, new(Long, "qcow2"), new("b", "raw"), new(Long + "x", "raw"), null, new("other.qcow2", "qcow2"),
            new(Long, "raw"), new("base.raw", "raw"), null,
        ];
        foreach (BackingReference? reference in references)
        {
            var storage = new MemoryStorage([.. file]);
            var log = new WriteLog(storage);
            Qcow2Header old = Qcow2Header.Parse(file);
            Qcow2Header written = BackingReferenceWriter.Write(storage, reference);

            AssertHeader(storage.Content, old, reference, $"{start}, QCOW2_TEST_SEED={seed}");
            Assert.Equal(Describe(written), Describe(Qcow2Header.Parse(storage.Content)));
            Assert.Equal(Others(old), Others(written));
            Assert.DoesNotContain(Read(storage.Content, old), other => reference?.Name.Contains(other, StringComparison.Ordinal) != true);
            foreach ((int at, byte[] crashed) in log.Crashes(random, 20))
            {
                string label = $"{start} to {reference}, QCOW2_TEST_SEED={seed}, crash after {at}";
                Qcow2Header header = Qcow2Header.Parse(crashed);
                Assert.True(
                    Describe(header) == Describe(old) || Describe(header) == Describe(written),
                    $"{label}: {Describe(header)} is neither {Describe(old)} nor {Describe(written)}.");
                List<string> others = Others(header);
                Assert.True(Others(old).TrueForAll(others.Contains), $"{label}: an extension is lost.");

                // It goes on from there.
                var again = new MemoryStorage(crashed);
                BackingReferenceWriter.Write(again, reference);
                AssertHeader(again.Content, old, reference, label);
            }

            file = storage.Content;
        }

        // The rest of the image has nothing to do with it.
        int clusterSize = Qcow2Header.Parse(file).ClusterSize;
        Assert.Equal(Start(start)[clusterSize..], file[clusterSize..]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("raw")]
    public void Name_moves_to_and_fro_and_the_header_does_not_grow(string? format)
    {
        var storage = new MemoryStorage(Start("many"));
        int end = 0;
        for (int i = 0; i < 10; i++)
        {
            BackingReferenceWriter.Write(storage, format is null && i % 2 == 0 ? null : new BackingReference($"{Long}{i}", "raw"));
            int last = storage.Content.AsSpan(0, 65_536).LastIndexOfAnyExcept((byte)0);
            Assert.True(i < 4 || last <= end + 8, $"Round {i}: the header ends at {last}, and ended at {end}.");
            end = Math.Max(end, last);
        }
    }

    [Fact]
    public void Name_that_has_no_room_is_refused_before_anything_is_written()
    {
        var storage = new MemoryStorage([], _folder.File("small.qcow2"));
        Qcow2Image.Create(storage, 10_240, new Qcow2CreateOptions { ClusterSize = 512 }).Dispose();
        byte[] before = storage.Content;
        var longest = new BackingReference(new string('n', 512 - 112 - 16 - 8), "raw");

        var error = Assert.Throws<Qcow2Exception>(() => BackingReferenceWriter.Write(storage, longest with { Name = longest.Name + "n" }));

        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        Assert.Contains("first cluster of 512 bytes", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, storage.Content);
        Assert.Equal(longest.Name, BackingReferenceWriter.Write(storage, longest).BackingFile);
    }

    [Fact]
    public void Name_of_1024_bytes_is_refused()
    {
        var storage = new MemoryStorage(Start("none"));

        var error = Assert.Throws<Qcow2Exception>(() => BackingReferenceWriter.Write(storage, new BackingReference(new string('n', 1024), "raw")));

        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
    }

    [Fact]
    public void Unknown_autoclear_features_are_withdrawn()
    {
        byte[] file = Start("none");
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(88), 1UL << 40);
        var storage = new MemoryStorage(file);

        BackingReferenceWriter.Write(storage, new BackingReference("base.raw", "raw"));

        Assert.Equal((AutoclearFeatures)0, Qcow2Header.Parse(storage.Content).AutoclearFeatures);
    }

    private static void AssertHeader(byte[] file, Qcow2Header old, BackingReference? reference, string label)
    {
        Qcow2Header header = Qcow2Header.Parse(file);
        Assert.True(reference?.Name == header.BackingFile, $"{label}: {header.BackingFile}");
        Assert.True(reference?.Format == header.Extension<BackingFormatExtension>()?.Format, $"{label}: {header.Extension<BackingFormatExtension>()?.Format}");
        Assert.Equal((old.Size, old.L1TableOffset, old.RefcountTableOffset, old.HeaderLength), (header.Size, header.L1TableOffset, header.RefcountTableOffset, header.HeaderLength));
        Assert.Equal(old.AdditionalFields.ToArray(), header.AdditionalFields.ToArray());
    }

    private static string Describe(Qcow2Header header) => $"{header.BackingFile} ({header.Extension<BackingFormatExtension>()?.Format})";

    /// <summary>The extensions that are to stay.</summary>
    private static List<string> Others(Qcow2Header header) => [.. header.Extensions
        .Where(extension => extension is not BackingFormatExtension)
        .Select(extension => $"{extension.Type:x}:{Convert.ToHexString(extension.Data)}")];

    /// <summary>The old name, where it is still to be read in the file.</summary>
    private static List<string> Read(byte[] file, Qcow2Header old)
        => old.BackingFile is { Length: > 3 } name && file.AsSpan(0, old.ClusterSize).IndexOf(System.Text.Encoding.UTF8.GetBytes(name)) >= 0 ? [name] : [];

    private byte[] Start(string name)
    {
        if (name is "fixture" or "no-format" or "header-120")
        {
            return File.ReadAllBytes(Fixtures.Get(name switch { "fixture" => "backing-qcow2", "no-format" => "backing-no-format", _ => "header-120" }).Path);
        }

        var storage = new MemoryStorage([], _folder.File("image.qcow2"));
        bool hasBacking = name is "v2" or "unknown" or "many" or "full";
        ImageCreator.Create(storage, 1 << 20, new Qcow2CreateOptions
        {
            Version = name == "v2" ? 2 : 3,
            BackingFile = hasBacking ? "first.qcow2" : null,
            BackingFormat = hasBacking ? "qcow2" : null,
        }, default);
        byte[] file = storage.Content;
        int[] lengths = name switch
        {
            "unknown" or "unknown-none" => [5, 100],
            "many" or "many-none" => [300, 17, 2000, 8, 0],
            "full" => [3],
            _ => [],
        };
        return lengths.Length == 0 ? file : WithUnknown(file, lengths, isFull: name == "full");
    }

    /// <summary>Adds extensions that nobody knows; on demand up to the name, so that there is no room for the last one's padding.</summary>
    private static byte[] WithUnknown(byte[] file, int[] lengths, bool isFull)
    {
        Qcow2Header header = Qcow2Header.Parse(file);
        List<HeaderExtension> extensions = [.. header.Extensions];
        foreach (int length in lengths)
        {
            byte[] data = new byte[length];
            new Random(length).NextBytes(data);
            extensions.Insert(extensions.Count / 2, new UnknownHeaderExtension(Unknown + (uint)length, data));
        }

        int end = header.HeaderLength + extensions.Sum(extension => extension.TotalLength);
        if (isFull)
        {
            extensions[^1] = new UnknownHeaderExtension(Unknown, new byte[] { 1, 2, 3 });
            end = header.HeaderLength + extensions.Sum(extension => extension.TotalLength) - 5 - 8;
        }

        file.AsSpan(header.HeaderLength, 65_536 - header.HeaderLength).Clear();
        (header with { Extensions = [.. extensions], BackingFileOffset = header.BackingFileOffset == 0 ? 0 : end + 8 }).Write(file);
        return file;
    }
}
