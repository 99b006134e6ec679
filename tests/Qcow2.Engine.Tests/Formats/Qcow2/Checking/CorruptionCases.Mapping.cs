using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

internal static partial class CorruptionCases
{
    private static IEnumerable<CorruptionCase> Mapping()
    {
        for (int version = 2; version <= 3; version++)
        {
            int v = version;
            yield return Case($"v{v}: nothing wrong", () => Plain(v), i => i);
            yield return Case($"v{v}: L1 entry gone", () => Plain(v), i => i.SetU64(i.L1Offset, 0));
            yield return Case($"v{v}: L1 entry not copied", () => Plain(v), i => i.FlipU64(i.L1Offset, Copied));
            yield return Case($"v{v}: L1 entry past the end", () => Plain(v), i => i.SetU64(i.L1Offset, (uint)End(i) | Copied));
            yield return Case($"v{v}: L2 entry gone", () => Plain(v), i => i.SetU64(i.L2EntryOffset(1), 0));
            yield return Case($"v{v}: L2 entry not copied", () => Plain(v), i => i.FlipU64(i.L2EntryOffset(1), Copied));
            yield return Case($"v{v}: L2 entry past the end", () => Plain(v), i => i.SetU64(i.L2EntryOffset(1), (uint)End(i) | Copied));
            yield return Case($"v{v}: L2 entry misaligned", () => Plain(v), i => i.FlipU64(i.L2EntryOffset(1), 512));
            yield return Case($"v{v}: two L2 entries for one cluster", () => Plain(v), i => i.SetU64(i.L2EntryOffset(1), i.GetU64(i.L2EntryOffset(0))));
            yield return Case($"v{v}: L2 entry leads to the header", () => Plain(v), i => i.SetU64(i.L2EntryOffset(5), Copied));
            yield return Case($"v{v}: L2 entry leads to its own table", () => Plain(v), i => i.SetU64(i.L2EntryOffset(5), (uint)i.L2Offset | Copied));
        }

        yield return Plain("L1 entry misaligned", i => i.FlipU64(i.L1Offset, 512));
        yield return Plain("L1 entry misaligned near the end", i => i.SetU64(i.L1Offset, (uint)(End(i) - 512) | Copied));
        yield return Plain("L1 entry far past the end", i => i.SetU64(i.L1Offset, 0x00ff_ffff_ffff_f000 | Copied));
        yield return Plain("L1 entry with reserved bits below", i => i.FlipU64(i.L1Offset, 1));
        yield return Plain("L1 entry with reserved bits above", i => i.FlipU64(i.L1Offset, 1UL << 57));
        yield return Plain("L1 entry leads to a data cluster", i => i.SetU64(i.L1Offset, (uint)i.DataOffsets[3] | Copied));
        yield return Plain("L1 entry leads to the L1 table", i => i.SetU64(i.L1Offset, (uint)i.L1Offset | Copied));
        yield return Plain("L1 entry leads to the refcount block", i => i.SetU64(i.L1Offset, (uint)i.RefcountBlockOffset | Copied));
        yield return Plain("L1 entry leads to the refcount table", i => i.SetU64(i.L1Offset, (uint)i.RefcountTableOffset | Copied));
        yield return Plain("L1 entry is a lone flag", i => i.SetU64(i.L1Offset, Copied)) with { Ours = (1, 5, 0), Because = "QEMU takes the header for an L2 table." };
        yield return Case("second L1 entry leads to the same table", () => new ImageBuilder { Size = 4 << 20, DataClusters = 4 }.Build(), i => i.SetU64(i.L1Offset + 8, i.GetU64(i.L1Offset)));
        yield return Case("second L1 entry leads past the end", () => new ImageBuilder { Size = 4 << 20, DataClusters = 4 }.Build(), i => i.SetU64(i.L1Offset + 8, 0x10000000));

        yield return Plain("L2 entry far past the end", i => i.SetU64(i.L2EntryOffset(1), 0x00ff_ffff_ffff_f000 | Copied));
        yield return Plain("L2 entry misaligned across the end", i => i.SetU64(i.L2EntryOffset(1), (uint)(End(i) - 512) | Copied));
        yield return Plain("L2 entry misaligned and zero", i => i.FlipU64(i.L2EntryOffset(1), 512 | 1));
        for (int bit = 1; bit <= 8; bit++)
        {
            int b = bit;
            yield return Plain($"L2 entry with reserved bit {b}", i => i.FlipU64(i.L2EntryOffset(2), 1UL << b));
        }

        for (int bit = 56; bit <= 61; bit++)
        {
            int b = bit;
            yield return Plain($"L2 entry with reserved bit {b}", i => i.FlipU64(i.L2EntryOffset(2), 1UL << b));
        }

        yield return Plain("unallocated entry with reserved bits", i => i.SetU64(i.L2EntryOffset(9), 0x100));
        yield return Plain("allocated zero", i => i.FlipU64(i.L2EntryOffset(1), 1));
        yield return Plain("allocated zero, not copied", i => i.FlipU64(i.L2EntryOffset(1), 1 | Copied));
        yield return Plain("plain zero", i => i.SetU64(i.L2EntryOffset(8), 1));
        yield return Plain("plain zero, copied", i => i.SetU64(i.L2EntryOffset(8), 1 | Copied));
        yield return Plain("L2 entry leads to the L1 table", i => i.SetU64(i.L2EntryOffset(5), (uint)i.L1Offset | Copied));
        yield return Plain("L2 entry leads to the refcount table", i => i.SetU64(i.L2EntryOffset(5), (uint)i.RefcountTableOffset | Copied));
        yield return Plain("L2 entry leads to the refcount block", i => i.SetU64(i.L2EntryOffset(5), (uint)i.RefcountBlockOffset | Copied));
        yield return Plain("every entry of the L2 table misaligned", i =>
        {
            for (int n = 0; n < i.ClusterSize / 8; n++)
            {
                i.SetU64(i.L2EntryOffset(n), (uint)i.DataOffsets[0] + 512);
            }

            return i;
        });
        yield return Plain("every entry of the L2 table leads to one cluster", i =>
        {
            for (int n = 0; n < i.ClusterSize / 8; n++)
            {
                i.SetU64(i.L2EntryOffset(n), (uint)i.DataOffsets[0]);
            }

            return i;
        });
        yield return Plain("L2 entries in another order", i =>
        {
            ulong first = i.GetU64(i.L2EntryOffset(0));
            return i.SetU64(i.L2EntryOffset(0), i.GetU64(i.L2EntryOffset(2))).SetU64(i.L2EntryOffset(2), first);
        });
        yield return Plain("L2 table shared with data, refcounts agree", i => i
            .SetU64(i.L2EntryOffset(5), (uint)i.L2Offset).SetU64(i.L1Offset, (uint)i.L2Offset).SetU16(i.RefcountBlockOffset + (2 * (i.L2Offset / i.ClusterSize)), 2)) with
        {
            Ours = (1, 0, 0), Because = "QEMU does not see that an L2 table is used as data.",
        };
        yield return Plain("data shared, refcounts agree", i => i
            .SetU64(i.L2EntryOffset(5), (uint)i.DataOffsets[0]).SetU64(i.L2EntryOffset(0), (uint)i.DataOffsets[0]).SetU16(i.RefcountBlockOffset + (2 * (i.DataOffsets[0] / i.ClusterSize)), 2));

        yield return Plain("file cut off inside the last cluster", i => i.Truncate(End(i) - 1000));
        yield return Plain("file cut off before the last cluster", i => i.Truncate(End(i) - i.ClusterSize));
        yield return Plain("file cut off before the data", i => i.Truncate(i.DataOffsets[0]));
        yield return Plain("file cut off inside the L2 table", i => i.Truncate(i.L2Offset + 8));
        yield return Plain("file cut off before the L2 table", i => i.Truncate(i.L2Offset));
        yield return Plain("file cut off before the L1 table", i => i.Truncate(i.L1Offset));
        yield return Plain("file cut off after the header", i => i.Truncate(4096));
        yield return Plain("file cut off inside the header", i => i.Truncate(512));
        yield return Plain("clusters of zeros at the end", i => i.Append(new byte[3 * 4096]));
        yield return Plain("part of a cluster at the end", i => i.Append(new byte[100]));
    }

    private static IEnumerable<CorruptionCase> Subclusters()
    {
        CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Case("extended L2: " + name, Extended, change);
        int Bitmap(BuiltImage i, int entry) => i.L2EntryOffset(entry) + 8;

        yield return Make("nothing wrong", i => i);
        yield return Make("a subcluster both allocated and zero", i => i.FlipU64(Bitmap(i, 1), 1UL << 32));
        yield return Make("all subclusters both allocated and zero", i => i.SetU64(Bitmap(i, 1), ulong.MaxValue));
        yield return Make("all subclusters zero, allocated cluster", i => i.SetU64(Bitmap(i, 1), 0xffff_ffff_0000_0000));
        yield return Make("no subcluster, allocated cluster", i => i.SetU64(Bitmap(i, 1), 0));
        yield return Make("allocated subclusters without cluster", i => i.SetU64(Bitmap(i, 8), 3));
        yield return Make("zero subclusters without cluster", i => i.SetU64(Bitmap(i, 8), 3UL << 32));
        yield return Make("both without cluster", i => i.SetU64(Bitmap(i, 8), 1 | (3UL << 32)));
        yield return Make("bit 0 of an entry", i => i.FlipU64(i.L2EntryOffset(1), 1));
        yield return Make("bit 1 of an entry", i => i.FlipU64(i.L2EntryOffset(1), 2));
        yield return Make("lone bit 0", i => i.SetU64(i.L2EntryOffset(7), 1));
        yield return Make("misaligned data", i => i.FlipU64(i.L2EntryOffset(1), 512));
        yield return Make("misaligned, nothing allocated", i => i.FlipU64(i.L2EntryOffset(1), 512).SetU64(Bitmap(i, 1), 0xffff_ffff_0000_0000));
        yield return Make("past the end", i => i.SetU64(i.L2EntryOffset(1), (uint)End(i) | Copied));
        yield return Make("not copied", i => i.FlipU64(i.L2EntryOffset(1), Copied));
        yield return Case("extended L2: compressed", () => Packed(true), i => i);
        yield return Case("extended L2: compressed with bitmap", () => Packed(true), i => i.SetU64(Bitmap(i, 3), 1));
        yield return Case("extended L2: compressed with zero bitmap", () => Packed(true), i => i.SetU64(Bitmap(i, 4), 1UL << 63));
        yield return Case("extended L2: compressed and copied", () => Packed(true), i => i.FlipU64(i.L2EntryOffset(3), Copied));
    }

    private static IEnumerable<CorruptionCase> Compressed()
    {
        CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Case("compressed: " + name, () => Packed(), change);

        yield return Make("nothing wrong", i => i);
        yield return Make("copied", i => i.FlipU64(i.L2EntryOffset(3), Copied));
        yield return Make("entry gone", i => i.SetU64(i.L2EntryOffset(3), 0));
        yield return Make("all entries gone", i => i.SetU64(i.L2EntryOffset(2), 0).SetU64(i.L2EntryOffset(3), 0).SetU64(i.L2EntryOffset(4), 0));
        yield return Make("more sectors", i => i.FlipU64(i.L2EntryOffset(4), 7UL << 58));
        yield return Make("at the end of the file", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | (uint)(End(i) - 10)));
        yield return Make("across the end of the file", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | (3UL << 58) | (uint)(End(i) - 10)));
        yield return Make("far across the end of the file", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | (15UL << 58) | (uint)(End(i) - 10)));
        yield return Make("past the end of the file", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | (uint)(End(i) + 4096)));
        yield return Make("far past the end of the file", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | ((1UL << 58) - 1)));
        yield return Make("in the header", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | 1000));
        yield return Make("in a data cluster", i => i.SetU64(i.L2EntryOffset(3), CompressedFlag | (uint)(i.DataOffsets[0] + 100)));
        yield return Make("entry taken for a standard one", i => i.FlipU64(i.L2EntryOffset(3), CompressedFlag));
        yield return Make("count of the cluster too low", i => i.SetU16(i.RefcountBlockOffset + (2 * (i.DataOffsets[2] / i.ClusterSize)), 1));
        yield return Make("count of the cluster too high", i => i.SetU16(i.RefcountBlockOffset + (2 * (i.DataOffsets[2] / i.ClusterSize)), 300));
        yield return Make("count of the cluster is 0", i => i.SetU16(i.RefcountBlockOffset + (2 * (i.DataOffsets[2] / i.ClusterSize)), 0));
        yield return Make("payload destroyed", i => i.Overwrite(i.DataOffsets[2], new byte[64]));
    }

    private static IEnumerable<CorruptionCase> DataFiles()
    {
        CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Case("data file: " + name, WithDataFile, change) with { HasDataFile = true };

        yield return Make("nothing wrong", i => i);
        yield return Make("sound entries", i => i.SetU64(i.L2EntryOffset(0), Copied).SetU64(i.L2EntryOffset(1), 4096 | Copied));
        yield return Make("entry not copied", i => i.SetU64(i.L2EntryOffset(1), 4096));
        yield return Make("entry misaligned", i => i.SetU64(i.L2EntryOffset(1), 4608 | Copied));
        yield return Make("entry far away", i => i.SetU64(i.L2EntryOffset(1), 0x00ff_0000_0000_0000 | Copied));
        yield return Make("compressed entry", i => i.SetU64(i.L2EntryOffset(1), CompressedFlag | 4096));
        yield return Make("compressed and copied entry", i => i.SetU64(i.L2EntryOffset(1), CompressedFlag | Copied | 4096));
        yield return Make("zero entry at 0", i => i.SetU64(i.L2EntryOffset(0), Copied | 1));
        yield return Make("reserved bits", i => i.SetU64(i.L2EntryOffset(1), 4096 | Copied | 0x100));
    }
}
