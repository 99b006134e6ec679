using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Bitmaps;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>What is read of a header, a snapshot table or a bitmap directory is written back bit for bit.</summary>
public class FixtureHeaderTests
{
    [Theory]
    [MemberData(nameof(Fixtures.Names), MemberType = typeof(Fixtures))]
    public void Header_is_written_back_bit_for_bit(string name)
    {
        byte[] file = ReadStart(Fixtures.Get(name).Path);
        Qcow2Header header = Qcow2Header.Parse(file);
        byte[] cluster = file[..Math.Min(file.Length, header.ClusterSize)];
        byte[] written = new byte[cluster.Length];

        header.Write(written);

        Assert.Equal(cluster, written);
    }

    [Theory]
    [MemberData(nameof(Fixtures.Sound), MemberType = typeof(Fixtures))]
    public void Snapshot_table_is_written_back_bit_for_bit(string name)
    {
        using LocalFile file = LocalFile.OpenRead(Fixtures.Get(name).Path);
        Qcow2Header header = HeaderCluster.Load(file);
        IReadOnlyList<SnapshotTableEntry> entries = SnapshotTable.Load(file, header).Entries;
        byte[] written = new byte[entries.Sum(entry => entry.TotalLength)];
        byte[] original = new byte[written.Length];
        file.ReadZeroPadded(header.SnapshotsOffset, original);

        int position = 0;
        foreach (SnapshotTableEntry entry in entries)
        {
            entry.Write(written.AsSpan(position));
            position += entry.TotalLength;
        }

        Assert.Equal(header.SnapshotCount, entries.Count);
        Assert.Equal(original, written);
    }

    [Theory]
    [InlineData("bitmaps")]
    [InlineData("bitmaps-all-ones")]
    [InlineData("bitmaps-in-use")]
    public void Bitmap_directory_is_written_back_bit_for_bit(string name)
    {
        using LocalFile file = LocalFile.OpenRead(Fixtures.Get(name).Path);
        Qcow2Header header = HeaderCluster.Load(file);
        IReadOnlyList<BitmapDirectoryEntry> entries = BitmapDirectory.Load(file, header);
        BitmapsExtension extension = header.Extension<BitmapsExtension>()!;
        byte[] original = new byte[extension.DirectorySize];
        file.ReadZeroPadded((long)extension.DirectoryOffset, original);
        byte[] written = new byte[original.Length];

        int position = 0;
        foreach (BitmapDirectoryEntry entry in entries)
        {
            entry.Write(written.AsSpan(position));
            position += entry.TotalLength;
        }

        Assert.Equal(original, written);
    }

    private static byte[] ReadStart(string path)
    {
        using FileStream stream = File.OpenRead(path);
        byte[] bytes = new byte[Math.Min(stream.Length, 1 << Qcow2Limits.MaxClusterBits)];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
