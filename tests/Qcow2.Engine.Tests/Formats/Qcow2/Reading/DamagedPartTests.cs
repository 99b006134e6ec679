using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>One damaged part costs that part, not the image: the rest is read and written, and the part can be removed.</summary>
public sealed class DamagedPartTests
{
    private const int Cluster = 4096;
    private static readonly Qcow2OpenOptions Writable = new() { Writable = true };

    private static readonly Dictionary<string, Action<BuiltImage, int>> Damage = new()
    {
        ["L1 offset misaligned"] = (image, entry) => image.SetU64(entry, 0x3200),
        ["L1 offset past all limits"] = (image, entry) => image.SetU64(entry, 1UL << 60),
        ["L1 table is data"] = (image, entry) => image.SetU64(entry, (ulong)image.DataOffsets[0]),
        ["L1 size past the limit"] = (image, entry) => image.SetU32(entry + 8, 0x7fff_ffff),
        ["L1 size 0"] = (image, entry) => image.SetU32(entry + 8, 0),
        ["disk larger than its L1 table"] = (image, entry) => image.SetU64(entry + 48, 1UL << 40),
    };

    public static TheoryData<string> Damages => [.. Damage.Keys];

    [Theory, MemberData(nameof(Damages))]
    public void Image_with_a_damaged_snapshot_is_read_and_written_and_the_snapshot_removed(string damage)
    {
        var storage = new MemoryStorage(Damaged(damage));
        byte[] disk;
        byte[] sound;
        using (Qcow2Image image = Qcow2Image.Open(storage, Writable))
        {
            Assert.Equal(3, image.Snapshots.Count);
            SnapshotTableEntry second = image.Snapshots[1];
            disk = ReadAll(image);
            sound = ReadAll(image.OpenSnapshot(image.Snapshots[0]));
            if (second.Problem is not null)
            {
                Assert.Contains(second.Problem, Assert.Single(image.Problems), StringComparison.Ordinal);
                Assert.Equal(Qcow2ErrorCode.SnapshotDamaged, Assert.Throws<Qcow2Exception>(() => image.OpenSnapshot(second)).Code);
                Assert.Equal(Qcow2ErrorCode.SnapshotDamaged, Assert.Throws<Qcow2Exception>(() => image.ApplySnapshot(second)).Code);
            }

            // New clusters go where the refcounts say that nothing is.
            byte[] data = ImageBuilder.Content(77, Cluster);
            image.Write(0, data);
            data.CopyTo(disk, 0);
            image.Write(9 * Cluster, data);
            data.CopyTo(disk, 9 * Cluster);
            image.CreateSnapshot("another");
            image.Flush();
            Assert.Equal(sound, ReadAll(image.OpenSnapshot(image.Snapshots[0])));
        }

        storage = new MemoryStorage([.. storage.Content]);
        using (Qcow2Image image = Qcow2Image.Open(storage, Writable))
        {
            Assert.Equal(disk, ReadAll(image));
            image.DeleteSnapshot(image.FindSnapshot("2"));
            Assert.Equal(["1", "3", "4"], image.Snapshots.Select(snapshot => snapshot.Id));
            Assert.DoesNotContain(image.Problems, problem => problem.Contains("'second'", StringComparison.Ordinal));
        }

        storage = new MemoryStorage([.. storage.Content]);
        Qcow2CheckResult left = Qcow2Checker.Check(storage);
        Assert.True(left.Corruptions + left.CheckErrors == 0, string.Join(" ", left.Findings.Take(3)));
        Assert.True(Qcow2Repairer.Repair(storage, Qcow2RepairMode.Leaks).IsHealthy);
        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. storage.Content])))
        {
            Assert.Empty(image.Problems);
            Assert.Equal(disk, ReadAll(image));
            Assert.Equal(sound, ReadAll(image.OpenSnapshot(image.FindSnapshot("first"))));
            Assert.Equal(sound, ReadAll(image.OpenSnapshot(image.FindSnapshot("third"))));
        }
    }

    [Theory]
    [InlineData("past the end")]
    [InlineData("the header")]
    [InlineData("the active L1 table")]
    [InlineData("the refcount table")]
    [InlineData("an L2 table")]
    public void Nothing_is_written_where_a_snapshot_claims_what_is_not_its_own_until_it_is_removed(string place)
    {
        BuiltImage built = Build();
        long offset = place switch
        {
            "past the end" => built.Bytes.Length + (4 * Cluster),
            "the header" => 0,
            "the active L1 table" => built.L1Offset,
            "the refcount table" => built.RefcountTableOffset,
            _ => built.L2Offset,
        };
        built.SetU64(built.SnapshotEntryOffsets[1], (ulong)offset);
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Qcow2Image.Open(storage, Writable))
        {
            var refused = Assert.Throws<Qcow2Exception>(() => image.Write(0, new byte[1]));
            Assert.Equal(Qcow2ErrorCode.SnapshotDamaged, refused.Code);
            Assert.Contains("'second' (id 2)", refused.Message, StringComparison.Ordinal);
            Assert.Throws<Qcow2Exception>(() => image.CreateSnapshot("another"));
            Assert.NotNull(image.DeleteSnapshot(image.Snapshots[1]));
            image.Write(0, new byte[image.Length]);
        }

        Qcow2CheckResult left = Qcow2Checker.Check(new MemoryStorage([.. storage.Content]));
        Assert.True(left.Corruptions + left.CheckErrors == 0, string.Join(" ", left.Findings.Take(3)));
    }

    [Theory]
    [InlineData("too many")]
    [InlineData("misaligned")]
    [InlineData("past the end")]
    [InlineData("extra data past the end")]
    public void Table_that_cannot_be_read_hinders_writers_only_and_is_mended(string damage)
    {
        BuiltImage built = Build();
        byte[] guest = built.Guest;
        _ = damage switch
        {
            "too many" => built.SetU32(HeaderOffset.NbSnapshots, 70_000),
            "misaligned" => built.FlipU64(HeaderOffset.SnapshotsOffset, 8),
            "past the end" => built.SetU64(HeaderOffset.SnapshotsOffset, 1UL << 40),
            _ => built.SetU32(built.SnapshotEntryOffsets[1] + 36, 0xffff_fff0),
        };

        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. built.Bytes])))
        {
            Assert.Equal(guest, ReadAll(image)[..guest.Length]);
            Assert.NotEmpty(image.Problems);
        }

        Assert.Equal(
            Qcow2ErrorCode.SnapshotDamaged, Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage([.. built.Bytes]), Writable)).Code);
        var storage = new MemoryStorage([.. built.Bytes]);
        Qcow2Repairer.Repair(storage, Qcow2RepairMode.All);
        using Qcow2Image mended = Qcow2Image.Open(new MemoryStorage([.. storage.Content]), Writable);
        Assert.Equal(guest, ReadAll(mended)[..guest.Length]);
        mended.Write(0, new byte[1]);
    }

    [Fact]
    public void Snapshots_with_one_id_are_listed_and_removed_one_at_a_time()
    {
        BuiltImage built = new ImageBuilder { DataClusters = 3, Snapshots = [new("1", "a"), new("1", "b")] }.Build();
        var storage = new MemoryStorage(built.Bytes);
        using (Qcow2Image image = Qcow2Image.Open(storage, Writable))
        {
            Assert.Equal(["a", "b"], image.Snapshots.Select(snapshot => snapshot.Name));
            string error = Assert.Throws<Qcow2Exception>(() => image.FindSnapshot("1")).Message;
            Assert.Contains("'a'", error, StringComparison.Ordinal);
            Assert.Contains("'b'", error, StringComparison.Ordinal);
            Assert.Null(image.DeleteSnapshot(image.FindSnapshot("b")));
            Assert.Equal("a", Assert.Single(image.Snapshots).Name);
        }

        Assert.True(Qcow2Checker.Check(new MemoryStorage([.. storage.Content])).IsHealthy);
        using Qcow2Image left = Qcow2Image.Open(new MemoryStorage([.. storage.Content]));
        Assert.Equal(built.Guest, ReadAll(left.OpenSnapshot(left.Snapshots[0]))[..built.Guest.Length]);
    }

    [Fact]
    public void Information_shows_what_can_be_shown()
    {
        using var folder = new TempFolder();
        BuiltImage built = new ImageBuilder { DataClusters = 3, Snapshots = [new("1", "a"), new("2", "b")], Bitmaps = [new("x", 16), new("y", 16)] }.Build();
        built.SetU64(built.SnapshotEntryOffsets[0], 0x3200).SetU8(built.BitmapEntryOffsets[1] + 17, 77);
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(folder.Write("image.qcow2", built.Bytes));

        Assert.Equal([true, false], info.Snapshots.Select(snapshot => snapshot.Problem is not null));
        Assert.Equal([false, true], info.Bitmaps.Select(bitmap => bitmap.Problem is not null));
        Assert.Equal(2, info.Problems.Length);
        Assert.Contains("granularity_bits 77", info.Problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Extension_that_is_too_long_hinders_writers_only_and_its_bytes_are_kept()
    {
        BuiltImage built = new ImageBuilder { Extensions = [(0x1234_5678, ImageBuilder.Content(5, 16))] }.Build();
        built.SetU32(116, 0x7fff_ffff);
        Qcow2Header header = Qcow2Header.Parse(built.Bytes.AsSpan(0, Cluster));
        byte[] written = new byte[Cluster];
        header.Write(written);
        Assert.Equal(built.Bytes[..Cluster], written);

        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. built.Bytes])))
        {
            Assert.Equal(built.Guest, ReadAll(image)[..built.Guest.Length]);
            Assert.Contains("12345678", Assert.Single(image.Problems), StringComparison.Ordinal);
        }

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage([.. built.Bytes]), Writable)).Code);
        Qcow2CheckResult check = Qcow2Checker.Check(new MemoryStorage([.. built.Bytes]));
        Assert.Contains(check.Findings, finding => finding is { Kind: Qcow2CheckFindingKind.ExtensionDamaged, Severity: Qcow2CheckSeverity.Error });
    }

    // QEMU looks at the length before it looks at the type: "Header extension too large".
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void End_marker_with_a_length_that_does_not_fit_is_found_as_QEMU_finds_it(int version)
    {
        BuiltImage built = new ImageBuilder { Version = version, DataClusters = 1 }.Build();
        int end = (int)Qcow2Header.Parse(built.Bytes.AsSpan(0, Cluster)).HeaderLength;
        built.SetU32(end, 0).SetU32(end + 4, 0x1f00_0000);
        Qcow2CheckResult check = Qcow2Checker.Check(new MemoryStorage([.. built.Bytes]));
        Assert.Contains(check.Findings, finding => finding is { Kind: Qcow2CheckFindingKind.ExtensionDamaged, Severity: Qcow2CheckSeverity.Error });
        Assert.True(Qcow2Checker.Check(new MemoryStorage([.. built.SetU32(end + 4, 8).Bytes])).IsHealthy);
    }

    [Fact]
    public void Of_extensions_that_are_there_twice_the_last_counts_and_all_are_kept()
    {
        byte[] unknown = ImageBuilder.Content(3, 24);
        BuiltImage built = new ImageBuilder
        {
            Extensions = [(ExtensionType.BackingFormat, [.. "qcow2"u8]), (0x1234_5678, unknown), (ExtensionType.FeatureNames, new byte[48]), (ExtensionType.FeatureNames, new byte[48])],
            BackingName = "base",
            BackingFormat = "raw",
        }.Build();
        var storage = new MemoryStorage([.. built.Bytes]);
        Qcow2CheckResult check = Qcow2Checker.Check(storage);
        Assert.Equal(2, check.Findings.Count(finding => finding is { Kind: Qcow2CheckFindingKind.ExtensionRepeated, Severity: Qcow2CheckSeverity.Warning }));
        Assert.Equal((0, 0, 0), (check.Corruptions, check.Leaks, check.CheckErrors));

        using (Qcow2Image image = Qcow2Image.Open(storage, Writable with { WithoutBacking = true }))
        {
            Assert.Equal("raw", image.Header.Extension<BackingFormatExtension>()!.Format);
            image.Write(0, new byte[512]);
            Assert.Equal(5, image.Header.Extensions.Length);
        }

        Assert.Equal(built.Bytes[112..(112 + 200)], storage.Content[112..(112 + 200)]);
    }

    [Fact]
    public void Nobody_sees_a_new_disk_where_the_pointer_to_the_keys_is_lost()
    {
        BuiltImage built = new ImageBuilder { CryptMethod = 2 }.Build();
        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage([.. built.Bytes])))
        {
            Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => image.Read(0, new byte[512])).Code);
        }

        using var passphrase = Passphrase.FromString("x");
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage([.. built.Bytes]), new Qcow2OpenOptions { Passphrase = passphrase }));
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage([.. built.Bytes]), Writable));
    }

    private static byte[] Damaged(string damage)
    {
        BuiltImage image = Build();
        Damage[damage](image, image.SnapshotEntryOffsets[1]);
        return image.Bytes;
    }

    private static BuiltImage Build() => new ImageBuilder { DataClusters = 3, Snapshots = [new("1", "first"), new("2", "second"), new("3", "third")] }.Build();

    private static byte[] ReadAll(VirtualDisk disk)
    {
        byte[] content = new byte[disk.Length];
        disk.Read(0, content);
        return content;
    }
}
