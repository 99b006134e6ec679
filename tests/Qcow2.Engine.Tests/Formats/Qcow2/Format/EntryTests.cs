using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Format;

/// <summary>L1, L2, subcluster and table entries, as bits of the specification.</summary>
public class EntryTests
{
    [Theory]
    [InlineData(0x0000000000000000UL, 0, false, false, 0UL)]
    [InlineData(0x8000000000030000UL, 0x30000, true, true, 0UL)]
    [InlineData(0x0000000000030000UL, 0x30000, true, false, 0UL)]
    [InlineData(0x80fffffffffffe00UL, 0xfffffffffffe00, true, true, 0UL)]
    [InlineData(0x7f000000000001ffUL, 0, false, false, 0x7f000000000001ffUL)]
    public void L1_entry(ulong value, long offset, bool used, bool copied, ulong reserved)
    {
        var entry = new L1Entry(value);

        Assert.Equal((offset, used, copied, reserved), (entry.Offset, entry.IsUsed, entry.IsCopied, entry.ReservedBits));
        Assert.Equal(value & ~reserved, new L1Entry(offset, copied).Value);
    }

    [Theory]
    [InlineData(0x0000000000000000UL, 0, false, true, false, false, false)] // unallocated
    [InlineData(0x0000000000000001UL, 0, false, false, true, false, false)] // plain zero
    [InlineData(0x8000000000050001UL, 0x50000, true, false, true, false, true)] // allocated zero
    [InlineData(0x8000000000050000UL, 0x50000, true, false, false, false, true)] // data
    [InlineData(0x0000000000050000UL, 0x50000, true, false, false, false, false)] // data that needs copy on write
    [InlineData(0x8000000000000000UL, 0, true, false, false, false, true)] // guest cluster 0 of an external data file
    [InlineData(0x4000000000050001UL, 0x50000, true, false, false, true, false)] // compressed: bit 0 belongs to the offset
    public void L2_entry(ulong value, long offset, bool used, bool unallocated, bool zero, bool compressed, bool copied)
    {
        var entry = new L2Entry(value);

        Assert.Equal(offset, entry.Offset);
        Assert.Equal((used, unallocated), (entry.IsUsed, entry.IsUnallocated));
        Assert.Equal((zero, compressed, copied), (entry.IsZero, entry.IsCompressed, entry.IsCopied));
        if (!compressed)
        {
            Assert.Equal(value, L2Entry.Standard(offset, copied, zero).Value);
        }
    }

    // x = 62 - (cluster_bits - 8): 61, 58, 54 and 49.
    [Theory]
    [InlineData(9, 0x6000000000000a03UL, 0xa03, 1, 509 + 512)]
    [InlineData(12, 0x4400000000012345UL, 0x12345, 1, 512 - 0x145 + 512)]
    [InlineData(16, 0x40c0000000050123UL, 0x50123, 3, 512 - 0x123 + (3 * 512))]
    [InlineData(16, 0x7fc0000000050000UL, 0x50000, 255, 256 * 512)]
    [InlineData(21, 0x4002000000200001UL, 0x200001, 1, 511 + 512)]
    public void Compressed_descriptor(int clusterBits, ulong value, long offset, int sectors, int length)
    {
        CompressedClusterDescriptor descriptor = new L2Entry(value).CompressedCluster(clusterBits);

        Assert.Equal((offset, sectors, length), (descriptor.HostOffset, descriptor.AdditionalSectors, descriptor.Length));
        Assert.Equal(value, descriptor.ToL2Entry().Value);
        Assert.Equal(value, CompressedClusterDescriptor.Create(offset, length, clusterBits).ToL2Entry().Value);
    }

    [Theory]
    [InlineData(0x0000000400000001UL, 0x1u, 0x4u, true)] // subcluster 0 written, 2 zeroed
    [InlineData(0xffffffff00000000UL, 0x0u, 0xffffffffu, true)]
    [InlineData(0x0000000100000001UL, 0x1u, 0x1u, false)]
    public void Subcluster_bitmap(ulong value, uint allocated, uint zero, bool valid)
    {
        var bitmap = new SubclusterBitmap(value);

        Assert.Equal((allocated, zero, valid), (bitmap.Allocated, bitmap.Zero, bitmap.IsValid));
        Assert.Equal(value, new SubclusterBitmap(allocated, zero).Value);
    }

    [Theory]
    [InlineData(0x0000000000020000UL, 0x20000UL, true, 0UL)]
    [InlineData(0x00000000000001ffUL, 0UL, false, 0x1ffUL)]
    [InlineData(0xfffffffffffffe00UL, 0xfffffffffffffe00UL, true, 0UL)]
    public void Refcount_table_entry(ulong value, ulong offset, bool used, ulong reserved)
    {
        var entry = new RefcountTableEntry(value);

        Assert.Equal((offset, used, reserved), (entry.Offset, entry.IsUsed, entry.ReservedBits));
    }

    [Theory]
    [InlineData(0x0UL, 0, false, false, 0UL)]
    [InlineData(0x1UL, 0, false, true, 0UL)]
    [InlineData(0x30000UL, 0x30000, true, false, 0UL)]
    [InlineData(0x30001UL, 0x30000, true, false, 1UL)]
    public void Bitmap_table_entry(ulong value, long offset, bool used, bool ones, ulong reserved)
    {
        var entry = new BitmapTableEntry(value);

        Assert.Equal((offset, used, ones, reserved), (entry.Offset, entry.IsUsed, entry.IsAllOnes, entry.ReservedBits));
    }

    [Theory]
    [InlineData(9, false, 8, 6, 15)]
    [InlineData(16, false, 8, 13, 29)]
    [InlineData(21, false, 8, 18, 39)]
    [InlineData(14, true, 16, 10, 24)]
    [InlineData(16, true, 16, 12, 28)]
    public void Geometry(int clusterBits, bool extended, int entryLength, int l2Bits, int coverageBits)
    {
        var geometry = new ClusterGeometry(clusterBits, extended);

        Assert.Equal((entryLength, l2Bits, coverageBits), (geometry.L2EntryLength, geometry.L2Bits, geometry.L1CoverageBits));
        Assert.Equal(extended ? clusterBits - 5 : clusterBits, geometry.SubclusterBits);
        Assert.Equal(0, geometry.L1EntriesFor(0));
        Assert.Equal(1, geometry.L1EntriesFor(1));
        Assert.Equal(1, geometry.L1EntriesFor(1L << coverageBits));
        Assert.Equal(2, geometry.L1EntriesFor((1L << coverageBits) + 1));
    }
}
