using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Format;

/// <summary>Entries of the snapshot table and the bitmap directory, from bytes written out by hand.</summary>
public class SnapshotAndBitmapEntryTests
{
    private const string Snapshot =
        "0000000000060000" + "00000014" + "0001" + "0005" + "65920080" + "0000007b" + "0000000000000064" + "00000005" + "0000001c"
        + "0000000000000abc" + "0000000280000000" + "ffffffffffffffff" + "cafebabe" // extra data with an unknown field
        + "37" + "6c6f76c3a9" + "0000000000000000"; // id "7", name "lové", padding to come

    private static readonly ClusterGeometry Geometry = new(16, extendedL2: false);

    [Fact]
    public void Snapshot_entry_has_every_field()
    {
        SnapshotTableEntry entry = SnapshotTableEntry.Parse(Convert.FromHexString(Snapshot), Geometry);

        Assert.Equal((0x60000L, 20), (entry.L1TableOffset, entry.L1Size));
        Assert.Equal(("7", "lové"), (entry.Id, entry.Name));
        Assert.Equal((0x65920080u, 123u), (entry.DateSeconds, entry.DateNanoseconds));
        Assert.Equal(100UL, entry.VmClockNanoseconds);
        Assert.Equal((5u, 0xabcUL), (entry.VmStateSize32, entry.VmStateSize));
        Assert.Equal(10UL << 30, entry.DiskSize);
        Assert.Null(entry.InstructionCount);
        Assert.Equal(28, entry.ExtraData.Length);
        Assert.Equal(80, entry.TotalLength);
    }

    [Fact]
    public void Snapshot_entry_is_written_back_bit_for_bit()
    {
        byte[] bytes = Convert.FromHexString(Snapshot);
        byte[] written = new byte[80];

        SnapshotTableEntry.Parse(bytes, Geometry).Write(written);

        Assert.Equal(bytes[..80], written);
        Assert.Equal(80, SnapshotTableEntry.ReadTotalLength(bytes));
    }

    [Theory]
    [InlineData(0, 5UL, null)]
    [InlineData(8, 0xabcUL, null)]
    [InlineData(16, 0xabcUL, 10UL << 30)]
    public void Short_extra_data_lacks_fields(int length, ulong vmStateSize, ulong? diskSize)
    {
        SnapshotTableEntry whole = SnapshotTableEntry.Parse(Convert.FromHexString(Snapshot), Geometry);

        SnapshotTableEntry entry = whole with { ExtraData = whole.ExtraData[..length] };

        Assert.Equal((vmStateSize, diskSize), (entry.VmStateSize, entry.DiskSize));
    }

    [Fact]
    public void Bitmap_entry_has_every_field_and_is_written_back()
    {
        byte[] bytes = Convert.FromHexString(
            "0000000000070000" + "00000002" + "00000006" + "01" + "10" + "0003" + "00000002" + "aabb" + "626d70" + "000000");

        BitmapDirectoryEntry entry = BitmapDirectoryEntry.Parse(bytes, Geometry);
        byte[] written = new byte[entry.TotalLength];
        entry.Write(written);

        Assert.Equal((0x70000L, 2), (entry.TableOffset, entry.TableSize));
        Assert.Equal(BitmapFlags.Auto | BitmapFlags.ExtraDataCompatible, entry.Flags);
        Assert.Equal((BitmapType.DirtyTracking, 65536L, "bmp"), (entry.Type, entry.Granularity, entry.Name));
        Assert.Equal([0xaa, 0xbb], entry.ExtraData.ToArray());
        Assert.Equal(bytes, written);
    }

    [Theory]
    [InlineData(16, "02", "type 2")] // reserved type
    [InlineData(12, "00000008", "flags 0x8")] // reserved flag
    [InlineData(17, "08", "granularity_bits 8")]
    [InlineData(17, "20", "granularity_bits 32")]
    [InlineData(18, "0000", "name_size is 0")]
    [InlineData(18, "0400", "name_size is 1024")]
    [InlineData(20, "00000100", "extra_data_size 256")]
    [InlineData(8, "00800001", "bitmap_table_size")]
    [InlineData(0, "0000000000070001", "bitmap_table_offset")]
    [InlineData(0, "0100000000000000", "bitmap_table_offset")]
    public void Broken_bitmap_entry_is_refused(int position, string hex, string message)
    {
        byte[] bytes = Convert.FromHexString("0000000000070000" + "00000002" + "00000000" + "01" + "10" + "0003" + "00000000" + "626d7000" + "00000000");
        Convert.FromHexString(hex).CopyTo(bytes, position);

        var error = Assert.Throws<Qcow2Exception>(() => BitmapDirectoryEntry.Parse(bytes, Geometry));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }
}
