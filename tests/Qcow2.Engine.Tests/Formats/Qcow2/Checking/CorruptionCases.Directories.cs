using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

internal static partial class CorruptionCases
{
    private static IEnumerable<CorruptionCase> Snapshots()
    {
        for (int version = 2; version <= 3; version++)
        {
            int v = version;
            CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Case($"snapshots of v{v}: {name}", () => WithSnapshots(v), change);

            yield return Make("nothing wrong", i => i);
            yield return Make("L1 table misaligned", i => i.FlipU64(i.SnapshotEntryOffsets[0], 512));
            yield return Make("L1 table past the end", i => i.SetU64(i.SnapshotEntryOffsets[0], (uint)End(i)));
            yield return Make("L1 table far past the end", i => i.SetU64(i.SnapshotEntryOffsets[0], 0x00ff_ffff_ffff_f000));
            yield return Make("L1 table is the active one", i => i.SetU64(i.SnapshotEntryOffsets[0], (uint)i.L1Offset));
            yield return Make("two with one L1 table", i => i.SetU64(i.SnapshotEntryOffsets[0], (uint)i.SnapshotL1Offsets[1]));
            yield return Make("l1_size 0", i => i.SetU32(i.SnapshotEntryOffsets[0] + 8, 0));
            yield return Make("l1_size 2", i => i.SetU32(i.SnapshotEntryOffsets[0] + 8, 2));
            yield return Make("l1_size 1000", i => i.SetU32(i.SnapshotEntryOffsets[0] + 8, 1000));
            yield return Make("l1_size too large", i => i.SetU32(i.SnapshotEntryOffsets[0] + 8, 0x1000_0000));
            yield return Make("L1 entry gone", i => i.SetU64(i.SnapshotL1Offsets[0], 0));
            yield return Make("L1 entry misaligned", i => i.FlipU64(i.SnapshotL1Offsets[0], 1024)) with
            {
                Ours = (258, 2, 0), Because = "QEMU does not see that what it takes for a table lies in another and in data.",
            };
            yield return Make("L1 entry past the end", i => i.SetU64(i.SnapshotL1Offsets[1], (uint)End(i) + 4096));
            yield return Make("L1 entry with reserved bits", i => i.FlipU64(i.SnapshotL1Offsets[1], 2));
            yield return Make("L1 entry copied", i => i.FlipU64(i.SnapshotL1Offsets[1], Copied));
            yield return Make("active L1 entry copied", i => i.FlipU64(i.L1Offset, Copied));
            yield return Make("L2 entry copied", i => i.FlipU64(i.L2EntryOffset(0), Copied));
            yield return Make("L2 entry gone", i => i.SetU64(i.L2EntryOffset(0), 0));
            yield return Make("L2 entry misaligned", i => i.FlipU64(i.L2EntryOffset(1), 512));
            yield return Make("L2 entry past the end", i => i.SetU64(i.L2EntryOffset(1), (uint)End(i)));
            yield return Make("L2 entry with reserved bits", i => i.FlipU64(i.L2EntryOffset(1), 4));
            yield return Make("count of the L2 table too low", i => i.SetCount(4, i.L2Offset / i.ClusterSize, 2));
            yield return Make("count of data too low", i => i.SetCount(4, i.DataOffsets[0] / i.ClusterSize, 1));
            yield return Make("count of an L1 table 0", i => i.SetCount(4, i.SnapshotL1Offsets[0] / i.ClusterSize, 0));
            yield return Make("the same id", i => i.SetU8(i.SnapshotEntryOffsets[1] + 64, (byte)'1'));
            yield return Make("one fewer", i => i.SetU32(HeaderOffset.NbSnapshots, 1));
            yield return Make("none", i => i.SetU32(HeaderOffset.NbSnapshots, 0));
            yield return Make("too many", i => i.SetU32(HeaderOffset.NbSnapshots, 70_000));
            yield return Make("table misaligned", i => i.FlipU64(HeaderOffset.SnapshotsOffset, 8));
            yield return Make("too much extra data", i => i.SetU32(i.SnapshotEntryOffsets[1] + 36, 5000));
        }

        CorruptionCase Newer(string name, Func<BuiltImage, BuiltImage> change) => Case($"snapshots: {name}", () => WithSnapshots(), change);
        yield return Newer("table past the end", i => i.SetU64(HeaderOffset.SnapshotsOffset, (uint)End(i))) with
        {
            Ours = (0, 0, 1), Because = "QEMU takes what lies past the end for snapshots without a name.",
        };
        yield return Newer("one more", i => i.SetU32(HeaderOffset.NbSnapshots, 3));
        yield return Case("snapshots: too little extra data", () => new ImageBuilder { Snapshots = [new("1", "a", 8)] }.Build(), i => i);
        yield return Case("snapshots: no extra data", () => new ImageBuilder { Snapshots = [new("1", "a", 0)] }.Build(), i => i);
        yield return Case("snapshots: much extra data", () => new ImageBuilder { Snapshots = [new("1", "a", 1024)] }.Build(), i => i);
        yield return Case("snapshots: disk too large for L1", () => WithSnapshots(), i => i.SetU64(i.SnapshotEntryOffsets[0] + 48, 1UL << 50));
        for (int order = 0; order <= 3; order++)
        {
            int o = order;
            int many = o == 3 ? 300 : (1 << (1 << o)) + 1;
            yield return Case($"snapshots: more than counts of {1 << o} bits hold", () => Crowded(o, many), i => i);
        }
    }

    /// <summary>An image with so many snapshots that no refcount of its width can count them: what is there says 1 or the most.</summary>
    private static BuiltImage Crowded(int order, int snapshots)
    {
        BuiltImage wide = new ImageBuilder { DataClusters = 2, Snapshots = [.. Enumerable.Range(1, snapshots).Select(n => new BuilderSnapshot($"{n}", "s"))] }.Build();
        ulong max = (1UL << (1 << order)) - 1;
        int clusters = wide.Bytes.Length / wide.ClusterSize;
        ulong[] counts = [.. Enumerable.Range(0, clusters).Select(cluster => Math.Min(max, wide.GetU64(wide.RefcountBlockOffset + (cluster * 2)) >> 48))];
        wide.Overwrite(wide.RefcountBlockOffset, new byte[wide.ClusterSize]).SetU32(HeaderOffset.RefcountOrder, (uint)order);
        for (int cluster = 0; cluster < clusters; cluster++)
        {
            wide.SetCount(order, cluster, counts[cluster]);
        }

        return wide;
    }

    private static IEnumerable<CorruptionCase> Bitmaps()
    {
        CorruptionCase Make(string name, Func<BuiltImage, BuiltImage> change) => Case("bitmaps: " + name, WithBitmaps, change);
        int Extension(BuiltImage i) => i.ExtensionOffset(ExtensionType.Bitmaps) + 8;

        yield return Make("nothing wrong", i => i);
        yield return Make("stale", i => i.SetU64(HeaderOffset.AutoclearFeatures, 0));
        yield return Make("table past the end", i => i.SetU64(i.BitmapEntryOffsets[0], (uint)End(i) + 4096));
        yield return Make("table misaligned", i => i.FlipU64(i.BitmapEntryOffsets[0], 512));
        yield return Make("table is the other's", i => i.SetU64(i.BitmapEntryOffsets[0], (uint)i.BitmapTableOffsets[1]));
        yield return Make("table is the L1 table", i => i.SetU64(i.BitmapEntryOffsets[0], (uint)i.L1Offset));
        yield return Make("reserved flags", i => i.SetU32(i.BitmapEntryOffsets[0] + 12, 0x100));
        yield return Make("in use", i => i.SetU32(i.BitmapEntryOffsets[0] + 12, 1));
        yield return Make("unknown type", i => i.SetU8(i.BitmapEntryOffsets[0] + 16, 2));
        yield return Make("granularity too small", i => i.SetU8(i.BitmapEntryOffsets[0] + 17, 8));
        yield return Make("granularity too large", i => i.SetU8(i.BitmapEntryOffsets[0] + 17, 40));
        yield return Make("no name", i => i.SetU16(i.BitmapEntryOffsets[0] + 18, 0));
        yield return Make("extra data past the directory", i => i.SetU32(i.BitmapEntryOffsets[1] + 20, 1000));
        yield return Make("two of a name", i => i.SetU8(i.BitmapEntryOffsets[1] + 24, (byte)'a'));
        yield return Make("table entry all ones", i => i.SetU64(i.BitmapTableOffsets[0], 1));
        yield return Make("table entry with reserved bits", i => i.SetU64(i.BitmapTableOffsets[0], 2));
        yield return Make("table entry with reserved bits and data", i => i.SetU64(i.BitmapTableOffsets[0], (uint)i.DataOffsets[0] | 1));
        yield return Make("table entry misaligned", i => i.SetU64(i.BitmapTableOffsets[0], (uint)i.DataOffsets[0] + 512));
        yield return Make("table entry past the end", i => i.SetU64(i.BitmapTableOffsets[0], (uint)End(i)));
        yield return Make("table entry leads to data", i => i.SetU64(i.BitmapTableOffsets[0], (uint)i.DataOffsets[0]));
        yield return Make("table entry leads to a free cluster", i => i.SetU64(i.BitmapTableOffsets[0], (uint)End(i)).Append(new byte[4096]));
        yield return Make("no bitmap counted", i => i.SetU32(Extension(i), 0));
        yield return Make("one more counted", i => i.SetU32(Extension(i), 3));
        yield return Make("one fewer counted", i => i.SetU32(Extension(i), 1));
        yield return Make("reserved field", i => i.SetU32(Extension(i) + 4, 1));
        yield return Make("directory larger", i => i.SetU64(Extension(i) + 8, 1024));
        yield return Make("directory smaller", i => i.SetU64(Extension(i) + 8, 32));
        yield return Make("directory misaligned", i => i.FlipU64(Extension(i) + 16, 8));
        yield return Make("directory past the end", i => i.SetU64(Extension(i) + 16, (uint)End(i)));
        yield return Make("directory is the L2 table", i => i.SetU64(Extension(i) + 16, (uint)i.L2Offset));
    }
}
