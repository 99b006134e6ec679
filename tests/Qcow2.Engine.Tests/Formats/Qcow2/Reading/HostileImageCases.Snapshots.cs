using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>The snapshot table, and the L1 tables it points to.</summary>
public static partial class HostileImageCases
{
    // Fields of an entry (spec: "Snapshots").
    private const int SnapshotL1Offset = 0;
    private const int SnapshotL1Size = 8;
    private const int SnapshotIdSize = 12;
    private const int SnapshotNameSize = 14;
    private const int SnapshotExtraSize = 36;
    private const int SnapshotDiskSize = 48;

    private static IEnumerable<HostileImageCase> Snapshots()
    {
        int end = WithSnapshot().Bytes.Length;
        foreach (uint count in (uint[])[65_537, 0x8000_0000, 0xffff_ffff])
        {
            yield return ReadByUs($"nb_snapshots {count}", () => WithSnapshot().SetU32(HeaderOffset.NbSnapshots, count));
        }

        // Past its one entry the table's cluster is zeros: entries without an id, as far as the file goes.
        yield return Accepted("nb_snapshots 65536 in a small file", () => WithSnapshot().SetU32(HeaderOffset.NbSnapshots, 65_536));
        foreach (ulong offset in (ulong[])[1, 512])
        {
            yield return Snapshot(
                $"snapshots_offset {Hex((long)offset)}", () => WithSnapshot().SetU64(HeaderOffset.SnapshotsOffset, offset),
                QemuVerdict.RefusesToOpen, "snapshots_offset", Hex((long)offset));
        }

        foreach (ulong offset in (ulong[])[ulong.MaxValue - Cluster + 1, 1UL << 63, 1UL << 56])
        {
            yield return Snapshot(
                $"snapshots_offset {offset:x}", () => WithSnapshot().SetU64(HeaderOffset.SnapshotsOffset, offset),
                offset == 1UL << 56 ? QemuVerdict.RefusesSnapshot : QemuVerdict.RefusesToOpen, "snapshots_offset");
        }

        yield return Snapshot(
            "snapshots_offset at the end of the file", () => WithSnapshot().SetU64(HeaderOffset.SnapshotsOffset, (ulong)end), QemuVerdict.RefusesSnapshot);
        yield return Snapshot("snapshots_offset 0", () => WithSnapshot().SetU64(HeaderOffset.SnapshotsOffset, 0), QemuVerdict.RefusesSnapshot);
        yield return Accepted(
            "snapshots_offset is wrong but there are none", () => Plain().SetU64(HeaderOffset.SnapshotsOffset, 0x100000));

        foreach (uint length in (uint[])[1025, 0x8000_0000, 0xffff_ffff])
        {
            // The entry at such a place has neither its id nor its name, as far as the file has any.
            yield return SnapshotField(
                $"snapshot with {length} bytes of extra data", (image, entry) => image.SetU32(entry + SnapshotExtraSize, length),
                QemuVerdict.RefusesToOpen, Text(length)) with { SnapshotId = length == 1025 ? "\0" : "1" };
        }

        yield return Snapshot(
            "snapshot table ends with the file, inside an entry",
            () =>
            {
                BuiltImage image = WithSnapshot();
                return image.Truncate(image.SnapshotEntryOffsets[0] + 50);
            },
            QemuVerdict.RefusesSnapshot);
        yield return SnapshotField("snapshot id runs past the end", (image, entry) => image.SetU16(entry + SnapshotIdSize, 0xffff), QemuVerdict.RefusesSnapshot);
        yield return SnapshotField("snapshot name runs past the end", (image, entry) => image.SetU16(entry + SnapshotNameSize, 0xffff), QemuVerdict.Accepts);

        foreach (uint size in (uint[])[(32 << 20) / 8 + 1, 0x8000_0000, 0xffff_ffff])
        {
            yield return SnapshotField(
                $"snapshot l1_size {size}", (image, entry) => image.SetU32(entry + SnapshotL1Size, size),
                QemuVerdict.RefusesSnapshot, "l1_size", Text(size));
        }

        yield return SnapshotField(
            "snapshot l1_size too small for its disk", (image, entry) => image.SetU64(entry + SnapshotDiskSize, 1UL << 30), QemuVerdict.Accepts, Text(1 << 30));
        yield return SnapshotField(
            "snapshot l1_size 0", (image, entry) => image.SetU32(entry + SnapshotL1Size, 0), QemuVerdict.Accepts);
        yield return SnapshotField(
            "snapshot disk of 2^63 bytes", (image, entry) => image.SetU64(entry + SnapshotDiskSize, 1UL << 63), QemuVerdict.Accepts);
        foreach (ulong offset in (ulong[])[1, 512, 0x3200])
        {
            yield return SnapshotField(
                $"snapshot l1_table_offset {Hex((long)offset)}", (image, entry) => image.SetU64(entry + SnapshotL1Offset, offset),
                QemuVerdict.RefusesSnapshot, "l1_table_offset", Hex((long)offset));
        }

        yield return SnapshotField(
            "snapshot L1 table at the end of the file", (image, entry) => image.SetU64(entry + SnapshotL1Offset, (ulong)end),
            QemuVerdict.Accepts, Hex(end));
        yield return SnapshotField(
            "snapshot L1 table of 32 MiB in a small file", (image, entry) => image.SetU32(entry + SnapshotL1Size, (32 << 20) / 8), QemuVerdict.Accepts);

        yield return Snapshot(
            "two snapshots with one id", () => new ImageBuilder { Snapshots = [new("1", "a"), new("1", "b")] }.Build(), QemuVerdict.Accepts, "'a' (id 1), 'b' (id 1)", "by its name") with
        {
            Code = Qcow2ErrorCode.SnapshotAmbiguous,
        };
        yield return Accepted("two snapshots with one name", () => new ImageBuilder { Snapshots = [new("1", "a"), new("2", "a")] }.Build());
        yield return Accepted("version 3 snapshot without extra data", () => new ImageBuilder { Snapshots = [new("1", "a", 0)] }.Build());
        yield return Accepted("snapshot with 1024 bytes of extra data", () => new ImageBuilder { Snapshots = [new("1", "a", 1024)] }.Build());
        yield return Accepted("snapshot without id and name", () => new ImageBuilder { Snapshots = [new("", "")] }.Build());
    }

    private static BuiltImage WithSnapshot() => new ImageBuilder { Snapshots = [new("1", "first")] }.Build();

    private static HostileImageCase Snapshot(string name, Func<BuiltImage> build, QemuVerdict qemu, params string[] fragments)
        => new(name, () => build().Bytes, HostileStage.Snapshot, Qcow2ErrorCode.SnapshotDamaged, fragments, qemu) { SnapshotId = "1" };

    private static HostileImageCase SnapshotField(
        string name, Func<BuiltImage, int, BuiltImage> change, QemuVerdict qemu, params string[] fragments)
        => Snapshot(
            name,
            () =>
            {
                BuiltImage image = WithSnapshot();
                return change(image, image.SnapshotEntryOffsets[0]);
            },
            qemu,
            fragments);
}
