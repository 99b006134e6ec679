using System.Buffers.Binary;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Format;

/// <summary>The header field by field, from bytes written out by hand.</summary>
public class HeaderTests
{
    // Fields in the order of the specification; a backing file name at 0x140.
    private const string Version3 =
        "514649fb" + "00000003" + "0000000000000140" + "00000009" + "00000010" + "0000000280000000" // magic to size: 10 GiB
        + "00000000" + "00000014" + "0000000000030000" + "0000000000010000" + "00000001" + "00000002" + "0000000000050000"
        + "0000000000000009" + "8000000000000001" + "8000000000000000" + "00000005" + "00000078" // features, order 5, length 120
        + "0100000000000000" + "1122334455667788" // zstd, an unknown field
        + "e2792aca" + "00000005" + "71636f7732" + "000000" // backing format "qcow2"
        + "deadbeef" + "00000003" + "0a0b0c" + "ffeeddccbb" // unknown extension, padding that is not zero
        + "0000000000000000";

    [Fact]
    public void Version_3_has_every_field()
    {
        Qcow2Header header = Qcow2Header.Parse(Cluster(Version3, "base.qcow"));

        Assert.Equal(3, header.Version);
        Assert.Equal("base.qcow", header.BackingFile);
        Assert.Equal((16, 65536), (header.ClusterBits, header.ClusterSize));
        Assert.Equal(10L << 30, header.Size);
        Assert.Equal(EncryptionMethod.None, header.EncryptionMethod);
        Assert.Equal((20, 0x30000L), (header.L1Size, header.L1TableOffset));
        Assert.Equal((0x10000L, 1), (header.RefcountTableOffset, header.RefcountTableClusters));
        Assert.Equal((2, 0x50000L), (header.SnapshotCount, header.SnapshotsOffset));
        Assert.Equal(IncompatibleFeatures.Dirty | IncompatibleFeatures.CompressionType, header.IncompatibleFeatures);
        Assert.True(header.Has(CompatibleFeatures.LazyRefcounts));
        Assert.Equal(1UL << 63, (ulong)header.AutoclearFeatures);
        Assert.Equal(32, header.RefcountOrder.Bits);
        Assert.Equal(120, header.HeaderLength);
        Assert.Equal(CompressionType.Zstd, header.CompressionType);
        Assert.Equal("01000000000000001122334455667788", Convert.ToHexString(header.AdditionalFields));
        Assert.Equal("qcow2", header.Extension<BackingFormatExtension>()?.Format);
        HeaderExtension unknown = Assert.IsType<UnknownHeaderExtension>(header.Extensions[1]);
        Assert.Equal(0xdeadbeef, (uint)unknown.Type);
        Assert.Equal("0A0B0C", Convert.ToHexString(unknown.Data));
    }

    [Fact]
    public void Everything_is_written_back_bit_for_bit()
    {
        byte[] cluster = Cluster(Version3, "base.qcow");
        byte[] written = new byte[cluster.Length];

        Qcow2Header.Parse(cluster).Write(written);

        Assert.Equal(cluster, written);
    }

    [Fact]
    public void What_follows_the_header_of_version_2_is_not_a_field()
    {
        byte[] cluster = Cluster(Version3, "base.qcow");
        BinaryPrimitives.WriteUInt32BigEndian(cluster.AsSpan(4), 2);
        cluster.AsSpan(72, 8).Clear(); // an end marker where version 3 has its features

        Qcow2Header header = Qcow2Header.Parse(cluster);

        Assert.Equal((0UL, 0UL, 0UL), ((ulong)header.IncompatibleFeatures, (ulong)header.CompatibleFeatures, (ulong)header.AutoclearFeatures));
        Assert.Equal((4, 72), (header.RefcountOrder.Order, header.HeaderLength));
        Assert.Equal(CompressionType.Deflate, header.CompressionType);
        Assert.Empty(header.Extensions);
    }

    [Fact]
    public void Header_without_the_compression_field_means_deflate()
    {
        byte[] cluster = Cluster(Version3, "base.qcow");
        BinaryPrimitives.WriteUInt32BigEndian(cluster.AsSpan(100), 104);
        BinaryPrimitives.WriteUInt64BigEndian(cluster.AsSpan(72), 0);
        cluster.AsSpan(104, 8).Clear();

        Qcow2Header header = Qcow2Header.Parse(cluster);

        Assert.Equal(CompressionType.Deflate, header.CompressionType);
        Assert.Empty(header.AdditionalFields);
    }

    [Fact]
    public void Unknown_features_are_named_by_the_table_or_by_their_bit()
    {
        var names = new FeatureNameTableExtension([new FeatureName(FeatureKind.Incompatible, 40, "time travel"), new FeatureName(FeatureKind.Compatible, 41, "no")]);
        var header = new Qcow2Header { IncompatibleFeatures = (IncompatibleFeatures)(1UL << 40 | 1UL << 41), Extensions = [names] };

        var error = Assert.Throws<Qcow2Exception>(header.EnsureSupported);

        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, error.Code);
        Assert.Contains("'time travel' (bit 40), bit 41", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Extensions_made_from_values_read_back()
    {
        HeaderExtension[] made =
        [
            new BackingFormatExtension("raw"),
            new DataFileNameExtension("disk.data"),
            new FeatureNameTableExtension([new FeatureName(FeatureKind.Autoclear, 63, new string('x', 46))]),
            new BitmapsExtension(3, 200, 0x70000),
            new EncryptionHeaderExtension(0x40000, 0x1f8000),
            new UnknownHeaderExtension((HeaderExtensionType)7, new byte[] { 1 }),
        ];
        byte[] bytes = new byte[made.Sum(extension => extension.TotalLength)];
        int position = 0;
        foreach (HeaderExtension extension in made)
        {
            extension.Write(bytes.AsSpan(position));
            position += extension.TotalLength;
        }

        byte[] cluster = Cluster(Version3, "");
        bytes.CopyTo(cluster.AsSpan(120));
        cluster.AsSpan(120 + bytes.Length, 8).Clear();
        BinaryPrimitives.WriteUInt64BigEndian(cluster.AsSpan(8), 0);
        BinaryPrimitives.WriteUInt32BigEndian(cluster.AsSpan(32), 2);
        Qcow2Header header = Qcow2Header.Parse(cluster);

        Assert.Equal("raw", header.Extension<BackingFormatExtension>()!.Format);
        Assert.Equal("disk.data", header.Extension<DataFileNameExtension>()!.FileName);
        Assert.Equal(new string('x', 46), header.Extension<FeatureNameTableExtension>()!.Find(FeatureKind.Autoclear, 63));
        BitmapsExtension bitmaps = header.Extension<BitmapsExtension>()!;
        Assert.Equal((3u, 200UL, 0x70000UL), (bitmaps.BitmapCount, bitmaps.DirectorySize, bitmaps.DirectoryOffset));
        EncryptionHeaderExtension encryption = header.Extension<EncryptionHeaderExtension>()!;
        Assert.Equal((0x40000L, 0x1f8000L), (encryption.Offset, encryption.HeaderLength));
        Assert.Equal([1], header.Extension<UnknownHeaderExtension>()!.Data);
    }

    private static byte[] Cluster(string hex, string backingFile)
    {
        byte[] cluster = new byte[65536];
        Convert.FromHexString(hex).CopyTo(cluster, 0);
        System.Text.Encoding.UTF8.GetBytes(backingFile).CopyTo(cluster, 0x140);
        return cluster;
    }
}
