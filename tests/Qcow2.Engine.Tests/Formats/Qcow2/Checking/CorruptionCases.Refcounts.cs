using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

internal static partial class CorruptionCases
{
    /// <summary>Writes a refcount of any width, written down here once more.</summary>
    private static BuiltImage SetCount(this BuiltImage image, int order, int cluster, ulong count)
    {
        int bits = 1 << order;
        int at = image.RefcountBlockOffset + (cluster * bits / 8);
        if (bits < 8)
        {
            int shift = cluster * bits % 8;
            int mask = ((1 << bits) - 1) << shift;
            return image.SetU8(at, (byte)((image.Bytes[at] & ~mask) | ((int)count << shift)));
        }

        for (int n = 0; n < bits / 8; n++)
        {
            image.SetU8(at + n, (byte)(count >> (bits - 8 - (8 * n))));
        }

        return image;
    }

    private static IEnumerable<CorruptionCase> Refcounts()
    {
        for (int order = 0; order <= 6; order++)
        {
            int o = order;
            ulong max = o == 6 ? ulong.MaxValue : (1UL << (1 << o)) - 1;
            BuiltImage Make() => new ImageBuilder { RefcountOrder = o, DataClusters = 4 }.Build();
            CorruptionCase Of(string name, Func<BuiltImage, BuiltImage> change) => Case($"refcounts of {1 << o} bits: {name}", Make, change);

            yield return Of("nothing wrong", i => i);
            yield return Of("data 0", i => i.SetCount(o, i.DataOffsets[1] / i.ClusterSize, 0));
            yield return Of("data at most", i => i.SetCount(o, i.DataOffsets[1] / i.ClusterSize, max));
            yield return Of("free cluster counted", i => i.Append(new byte[8192]).SetCount(o, (End(i) / i.ClusterSize) - 1, 1));
            yield return Of("cluster past the end counted", i => i.SetCount(o, (End(i) / i.ClusterSize) + 3, 1));
            yield return Of("two entries for one cluster", i => i.SetU64(i.L2EntryOffset(6), i.GetU64(i.L2EntryOffset(0))));
            yield return Of("four entries for one cluster", i => i
                .SetU64(i.L2EntryOffset(6), i.GetU64(i.L2EntryOffset(0))).SetU64(i.L2EntryOffset(7), i.GetU64(i.L2EntryOffset(0))).SetU64(i.L2EntryOffset(8), i.GetU64(i.L2EntryOffset(0))));
            yield return Of("second block is the first", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.RefcountBlockOffset));
            yield return Of("second block is the refcount table", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.RefcountTableOffset));
            yield return Of("second block is the L1 table", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.L1Offset));
            yield return Of("second block is the L2 table", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.L2Offset));
            yield return Of("second block is data", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.DataOffsets[0]));
            yield return Of("all 0", i => i.Overwrite(i.RefcountBlockOffset, new byte[4096]));
        }

        foreach ((string name, Func<BuiltImage, int> place) in (ReadOnlySpan<(string, Func<BuiltImage, int>)>)
            [("header", _ => 0), ("refcount table", i => i.RefcountTableOffset), ("refcount block", i => i.RefcountBlockOffset), ("L1 table", i => i.L1Offset), ("L2 table", i => i.L2Offset)])
        {
            foreach (ulong count in (ReadOnlySpan<ulong>)[0, 2, 255, 65535])
            {
                ulong c = count;
                CountCases.Add(Plain($"count of the {name} is {c}", i => i.SetCount(4, place(i) / i.ClusterSize, c)));
            }
        }

        foreach (CorruptionCase made in CountCases)
        {
            yield return made;
        }
    }

    private static List<CorruptionCase> CountCases { get; } = [];

    private static IEnumerable<CorruptionCase> RefcountStructure()
    {
        CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Plain("refcount table: " + name, change);

        yield return Make("first entry 0", i => i.SetU64(i.RefcountTableOffset, 0));
        yield return Make("reserved bit", i => i.FlipU64(i.RefcountTableOffset, 1));
        yield return Make("misaligned", i => i.FlipU64(i.RefcountTableOffset, 512));
        yield return Make("past the end", i => i.SetU64(i.RefcountTableOffset, (uint)End(i)));
        yield return Make("far past the end", i => i.SetU64(i.RefcountTableOffset, 0x7fff_ffff_ffff_f000));
        yield return Make("past every limit", i => i.SetU64(i.RefcountTableOffset, 0xffff_ffff_ffff_f000));
        yield return Make("leads to itself", i => i.SetU64(i.RefcountTableOffset, (uint)i.RefcountTableOffset));
        yield return Make("leads to the L2 table", i => i.SetU64(i.RefcountTableOffset, (uint)i.L2Offset));
        yield return Make("leads to data", i => i.SetU64(i.RefcountTableOffset, (uint)i.DataOffsets[0]));
        yield return Make("second entry leads to the same block", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.RefcountBlockOffset));
        yield return Make("second entry leads to data", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.DataOffsets[0]));
        yield return Make("second entry leads past the end", i => i.SetU64(i.RefcountTableOffset + 8, (uint)End(i) + 8192));
        yield return Make("second entry misaligned", i => i.SetU64(i.RefcountTableOffset + 8, (uint)i.RefcountBlockOffset + 1024));
        yield return Make("second entry with reserved bits", i => i.SetU64(i.RefcountTableOffset + 8, 5));
        yield return Make("last entry leads past the end", i => i.SetU64(i.RefcountTableOffset + i.ClusterSize - 8, (uint)End(i)));

        yield return Plain("refcount_table_offset past the end", i => i.SetU64(HeaderOffset.RefcountTableOffset, (uint)End(i)));
        yield return Plain("refcount_table_offset is the L2 table", i => i.SetU64(HeaderOffset.RefcountTableOffset, (uint)i.L2Offset));
        yield return Plain("refcount_table_offset is 0", i => i.SetU64(HeaderOffset.RefcountTableOffset, 0));
        yield return Plain("refcount_table_offset misaligned", i => i.SetU64(HeaderOffset.RefcountTableOffset, (uint)i.RefcountTableOffset + 512));
        yield return Plain("refcount_table_clusters 0", i => i.SetU32(HeaderOffset.RefcountTableClusters, 0));
        yield return Plain("refcount_table_clusters 2", i => i.SetU32(HeaderOffset.RefcountTableClusters, 2));
        yield return Plain("refcount_table_clusters too many", i => i.SetU32(HeaderOffset.RefcountTableClusters, 100_000));
    }

    private static IEnumerable<CorruptionCase> Headers()
    {
        yield return Plain("l1_table_offset past the end", i => i.SetU64(HeaderOffset.L1TableOffset, (uint)End(i)));
        yield return Plain("l1_table_offset misaligned", i => i.SetU64(HeaderOffset.L1TableOffset, (uint)i.L1Offset + 8));
        yield return Plain("l1_table_offset is 0", i => i.SetU64(HeaderOffset.L1TableOffset, 0));
        yield return Plain("l1_table_offset is a data cluster", i => i.SetU64(HeaderOffset.L1TableOffset, (uint)i.DataOffsets[0]));
        yield return Plain("l1_size 0", i => i.SetU32(HeaderOffset.L1Size, 0));
        yield return Plain("l1_size larger", i => i.SetU32(HeaderOffset.L1Size, 600));
        yield return Plain("l1_size too large", i => i.SetU32(HeaderOffset.L1Size, 0x7fff_ffff));
        yield return Plain("size larger than L1", i => i.SetU64(HeaderOffset.Size, 1UL << 40));
        yield return Plain("size smaller", i => i.SetU64(HeaderOffset.Size, 4096));
        yield return Plain("size odd", i => i.SetU64(HeaderOffset.Size, (16 * 4096) - 1));
        yield return Plain("version 4", i => i.SetU32(HeaderOffset.Version, 4));
        yield return Plain("cluster_bits 8", i => i.SetU32(HeaderOffset.ClusterBits, 8));
        yield return Plain("cluster_bits 22", i => i.SetU32(HeaderOffset.ClusterBits, 22));
        yield return Plain("crypt_method 3", i => i.SetU32(HeaderOffset.CryptMethod, 3));
        yield return Plain("dirty", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 1));
        yield return Plain("corrupt", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 2));
        yield return Plain("dirty and corrupt", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 3));
        yield return Plain("unknown incompatible feature", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 1UL << 40));
        yield return Plain("unknown compatible feature", i => i.SetU64(HeaderOffset.CompatibleFeatures, 1UL << 40));
        yield return Plain("unknown autoclear feature", i => i.SetU64(HeaderOffset.AutoclearFeatures, 1UL << 40));
        yield return Plain("compression type unannounced", i => i.SetU8(HeaderOffset.CompressionType, 1));
        yield return Plain("compression type unknown", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 8).SetU8(HeaderOffset.CompressionType, 2));
        yield return Plain("refcount_order 7", i => i.SetU32(HeaderOffset.RefcountOrder, 7));
        yield return Plain("refcount_order 5", i => i.SetU32(HeaderOffset.RefcountOrder, 5));
        yield return Plain("refcount_order 3", i => i.SetU32(HeaderOffset.RefcountOrder, 3));
        yield return Plain("header_length 100", i => i.SetU32(HeaderOffset.HeaderLength, 100));
        yield return Plain("header_length too long", i => i.SetU32(HeaderOffset.HeaderLength, 8192));
        yield return Plain("extended L2 with small clusters", i => i.SetU64(HeaderOffset.IncompatibleFeatures, 16));
        yield return Plain("unknown extension", i => i.SetU32(112, 0x1234).SetU32(116, 8));
        yield return Plain("extension past the cluster", i => i.SetU32(112, 0x1234).SetU32(116, 0x10000));
        yield return Plain("backing_file_offset past the cluster", i => i.SetU64(HeaderOffset.BackingFileOffset, 5000).SetU32(HeaderOffset.BackingFileSize, 5));
    }
}
