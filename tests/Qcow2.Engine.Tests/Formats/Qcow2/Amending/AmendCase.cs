using System.Buffers.Binary;
using System.Globalization;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Amending;

/// <summary>An image, what it is to become, and what must not change.</summary>
internal sealed record AmendCase(string Image, string Words, AmendImage Start, ImageAmendOptions Options)
{
    /// <summary>Images, each with options in the words of <c>qemu-img amend -o</c>.</summary>
    internal static readonly (string Image, string Words)[] All =
    [
        ("v3", "lazy_refcounts=on"), ("lazy-refcounts", "lazy_refcounts=off"), ("bit-dirty", "lazy_refcounts=off"), ("cluster-512", "lazy_refcounts=on"),
        ("v2", "compat=1.1"), ("v2", "lazy_refcounts=off"), ("v2", "compat=1.1,lazy_refcounts=on,refcount_bits=64"), ("aes-v2", "compat=1.1"),
        ("backing-v2", "compat=1.1"), ("snapshots-v2", "compat=1.1"), ("snapshots-v2-no-extra", "compat=1.1"), ("snapshots-v2-no-extra", "compat=1.1,refcount_bits=8"),
        ("refcount-1", "refcount_bits=64"), ("refcount-64", "refcount_bits=1"), ("refcount-2", "refcount_bits=4"), ("refcount-8", "refcount_bits=16"),
        ("refcount-64-cluster-512", "refcount_bits=1"), ("refcount-1-cluster-512", "refcount_bits=64"), ("deflate-512", "refcount_bits=32"),
        ("snapshots", "refcount_bits=4"), ("snapshots-compressed", "refcount_bits=64"), ("snapshots-extl2", "refcount_bits=8"), ("bitmaps", "refcount_bits=1"),
        ("luks", "refcount_bits=8"), ("extension-unknown", "refcount_bits=32"), ("data-file", "refcount_bits=2"), ("header-120", "refcount_bits=2"), ("bit-dirty", "refcount_bits=64"),
        ("data-file-raw", "data_file_raw=off"), ("data-file-raw", "data_file_raw=on"), ("data-file", "data_file=elsewhere.raw"), ("data-file-raw", "data_file=elsewhere.raw,data_file_raw=off"),
        ("v3", "compat=0.10"), ("empty", "compat=0.10"), ("zero-plain", "compat=0.10"), ("zero-allocated", "compat=0.10"), ("zero-over-backing", "compat=0.10"), ("built", "compat=0.10"), ("built-backing", "compat=0.10"),
        ("built-luks", "compat=0.10"), ("built-backing", "compat=0.10,refcount_bits=16"), ("built-backing", "refcount_bits=64"), ("built", "refcount_bits=2"),
        ("snapshots-compressed", "compat=0.10"), ("lazy-refcounts", "compat=0.10"), ("lazy-refcounts", "compat=0.10,lazy_refcounts=off"), ("bit-dirty", "compat=0.10"), ("deflate-4k", "compat=0.10"),
        ("refcount-64", "compat=0.10,refcount_bits=16"), ("luks", "compat=0.10"), ("bitmaps-stale", "compat=0.10"), ("extension-unknown", "compat=0.10"),
        ("header-104", "compat=0.10"), ("bit-compatible-unknown", "compat=0.10"), ("cluster-512", "compat=0.10"), ("snapshots-vmstate", "compat=0.10"), ("v2", "compat=0.10"),
    ];

    internal static AmendCase Of(string image, string words)
    {
        Dictionary<string, string> said = words.Split(',').Select(word => word.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        bool? Switch(string name) => said.TryGetValue(name, out string? value) ? value == "on" : null;
        AmendImage start = AmendImage.Get(image);
        return new AmendCase(image, words, start, new ImageAmendOptions
        {
            Version = said.TryGetValue("compat", out string? compat) ? compat == "0.10" ? 2 : 3 : null,
            RefcountBits = said.TryGetValue("refcount_bits", out string? bits) ? int.Parse(bits, CultureInfo.InvariantCulture) : null,
            LazyRefcounts = Switch("lazy_refcounts"),
            DataFile = said.GetValueOrDefault("data_file"),
            DataFileRaw = Switch("data_file_raw"),
            Passphrase = start.Passphrase is string passphrase ? Passphrase.FromString(passphrase) : null,
        });
    }

    internal MemoryStorage Storage(byte[]? content = null) => new([.. content ?? Start.Content], Start.Path);

    /// <summary>The disk and the snapshots.</summary>
    internal SnapshotModel Read(byte[] content)
    {
        string? data = Options.DataFile is null ? null : Path.GetFullPath(Qcow2Header.Parse(Start.Content).Extension<DataFileNameExtension>()!.FileName, Path.GetDirectoryName(Start.Path)!);
        using Qcow2Image image = Qcow2Image.Open(Storage(content), new Qcow2OpenOptions { Passphrase = Options.Passphrase, DataFile = data });
        return SnapshotModel.Read(image);
    }

    /// <summary>What is said of the image in its header, but for places.</summary>
    internal static string Describe(Qcow2Header header) =>
        $"version {header.Version}, {header.RefcountOrder.Bits} bits, {header.IncompatibleFeatures}, {header.CompatibleFeatures}, {header.AutoclearFeatures}, {header.EncryptionMethod}, "
        + $"{header.CompressionType}, {header.Size}, {header.SnapshotCount}, backing {header.BackingFile} ({header.Extension<BackingFormatExtension>()?.Format}), data {header.Extension<DataFileNameExtension>()?.FileName}";

    /// <summary>Extensions that no amendment has to do with.</summary>
    internal static List<string> Others(Qcow2Header header) => [.. header.Extensions
        .Where(extension => extension is not (FeatureNameTableExtension or DataFileNameExtension or BitmapsExtension))
        .Select(extension => $"{extension.Type:x}:{Convert.ToHexString(extension.Data)}")];

    /// <summary>Nothing may say "reads as zeros" in version 2.</summary>
    internal void AssertNoZeroFlags(byte[] file)
    {
        Qcow2Header header = Qcow2Header.Parse(file);
        using Qcow2Image image = Qcow2Image.Open(Storage(file));
        List<(long Offset, int Count)> trees = [(header.L1TableOffset, header.L1Size), .. image.Snapshots.Select(snapshot => (snapshot.L1TableOffset, snapshot.L1Size))];
        foreach ((long offset, int count) in trees)
        {
            for (int i = 0; i < count; i++)
            {
                long table = new L1Entry(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)offset + (i * 8)))).Offset;
                for (int j = 0; table != 0 && j < header.ClusterSize; j += 8)
                {
                    Assert.False(new L2Entry(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)table + j))).IsZero, $"The entry at 0x{table + j:x} has the zero flag.");
                }
            }
        }
    }

    /// <returns>Leaked clusters.</returns>
    internal static int Audit(byte[] file, string label)
    {
        ImageAuditor audit = ImageAuditor.Audit(file);
        Assert.True(audit.Corruptions.Count == 0, $"{label}: {string.Join('\n', audit.Corruptions.Take(5))}");
        return audit.Leaks;
    }
}
