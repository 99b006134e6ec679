using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Formats.Qed;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Vhdx;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qed;

/// <summary>What QED images show: by hand-made ones and by qemu-img's; and each field with a lie in it.</summary>
public sealed class QedDiskTests
{
    internal const int Cluster = 4096;
    internal const int L1 = 2 * Cluster;

    /// <summary>Tables have two clusters, so that an L2 table covers 1024 clusters.</summary>
    internal const int TableLength = 2 * Cluster;
    internal const int L2 = L1 + TableLength;
    internal const int Data = L2 + TableLength;

    private static readonly DiskFormat Format = DiskFormats.Get("qed");

    private static QedDisk Open(byte[] file) => QedDisk.Open(new MemoryStorage(file, "hostile.qed"), header => throw new InvalidOperationException(header.BackingFile));

    [Theory]
    [InlineData("d-zdd-z", 0)]
    [InlineData("d-zdd", 1024)]
    [InlineData("-", 512)]
    public void Clusters_lie_where_the_tables_say(string clusters, int cut)
    {
        (byte[] file, byte[] expected) = Build(clusters, (clusters.Length * Cluster) - cut);
        using QedDisk disk = Open(file);
        VhdxDiskTests.AssertShows(expected, disk, new Random(2));
        Assert.Equal(
            clusters.Select(kind => kind switch { 'd' => ExtentKind.Data, 'z' => ExtentKind.Zero, _ => ExtentKind.Unallocated }).Aggregate(
                new List<ExtentKind>(), (kinds, kind) => kinds.Count > 0 && kinds[^1] == kind ? kinds : [.. kinds, kind]),
            disk.GetExtents().Select(extent => extent.Kind));
    }

    [Theory]
    [InlineData(5, "raw", null)]
    [InlineData(1, null, "raw")]
    public void Backing_file_is_raw_where_that_is_recorded_and_is_never_guessed(int features, string? recorded, string? said)
    {
        using var folder = new TempFolder();
        (byte[] file, byte[] expected) = Build("-dz-", 4 * Cluster, features, "base.img");
        byte[] below = new byte[3 * Cluster];
        new Random(3).NextBytes(below);
        below.AsSpan(0, Cluster).CopyTo(expected);
        File.WriteAllBytes(folder.File("base.img"), below);
        string path = folder.File("top.qed");
        File.WriteAllBytes(path, file);
        using (VirtualDisk disk = Format.Open(path, new Qcow2OpenOptions { BackingFormat = said }))
        {
            byte[] read = new byte[expected.Length];
            disk.Read(0, read);
            Assert.Equal(expected, read);
        }

        Qcow2ImageInfo info = Format.ReadInformation(path);
        Assert.Equal(("base.img", recorded, Cluster), (info.BackingFile, info.BackingFormat, info.ClusterSize));
        if (recorded is null)
        {
            Assert.Equal(Qcow2ErrorCode.BackingFormatMissing, Assert.Throws<Qcow2Exception>(() => Format.Open(path)).Code);
        }
        else
        {
            // A guest that made its raw disk look like an image gains nothing.
            "QED\0"u8.CopyTo(below);
            File.WriteAllBytes(folder.File("base.img"), below);
            using VirtualDisk disk = Format.Open(path, new Qcow2OpenOptions { BackingFormat = "qed" });
            byte[] read = new byte[4];
            disk.Read(0, read);
            Assert.Equal("QED\0"u8, read);
        }
    }

    [Fact]
    public void Image_that_was_not_closed_is_read_with_a_warning()
    {
        (byte[] file, byte[] expected) = Build("d", Cluster, 2);
        var problems = new List<string>();
        using VirtualDisk disk = Format.Open(new MemoryStorage(file), new Qcow2OpenOptions { OnProblem = problems.Add });
        byte[] read = new byte[Cluster];
        disk.Read(0, read);
        Assert.Equal(expected, read);
        Assert.Contains("was not closed", Assert.Single(problems), StringComparison.Ordinal);
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("dirty.qed"), file);
        Assert.True(Format.ReadInformation(folder.File("dirty.qed")).IsDirty);
    }

    [Theory]
    [InlineData(0, 4, 0UL, "no QED image")]
    [InlineData(4, 4, 0UL, "clusters of 0")]
    [InlineData(4, 4, 2048UL, "clusters of 2048")]
    [InlineData(4, 4, 5000UL, "clusters of 5000")]
    [InlineData(4, 4, 1UL << 27, "clusters of 134217728")]
    [InlineData(8, 4, 0UL, "tables of 0")]
    [InlineData(8, 4, 3UL, "tables of 3")]
    [InlineData(8, 4, 32UL, "tables of 32")]
    [InlineData(12, 4, 0UL, "header of no cluster")]
    [InlineData(12, 4, 0xffff_ffffUL, "L1 table")]
    [InlineData(16, 8, 8UL, "not known: 0x8")]
    [InlineData(16, 8, ulong.MaxValue, "not known")]
    [InlineData(40, 8, 0UL, "L1 table")]
    [InlineData(40, 8, 5000UL, "multiple of 4096")]
    [InlineData(40, 8, 4096UL, "L1 table")]
    [InlineData(40, 8, 0xffff_ffff_ffff_f000UL, "L1 table")]
    [InlineData(48, 8, 513UL, "no number of sectors")]
    [InlineData(48, 8, (1UL << 32) + 512, "limit is 4294967296")]
    [InlineData(48, 8, 0xffff_ffff_ffff_fe00UL, "limit")]
    [InlineData(56, 4, 10UL, "backing file's name")]
    [InlineData(56, 4, 8190UL, "backing file's name")]
    [InlineData(60, 4, 0xffff_ffffUL, "limit is 1023")]
    public void Header_that_lies_is_refused(int at, int length, ulong value, string message)
    {
        (byte[] file, _) = Build("d-z", 3 * Cluster, 1, "base.img");
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.AsSpan(0, length).CopyTo(file.AsSpan(at));
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(file));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.qed", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(L1, 1UL, "multiple of 4096")]
    [InlineData(L1, 4096UL, "L2 table")]
    [InlineData(L1, 0xffff_ffff_ffff_f000UL, "L2 table")]
    [InlineData(L2 + 8, 2UL, "multiple of 4096")]
    [InlineData(L2 + 8, 4096UL, "is said to lie")]
    [InlineData(L2 + 8, 0x7fff_ffff_ffff_f000UL, "is said to lie")]
    [InlineData(L2 + 8, 0xffff_ffff_ffff_f000UL, "is said to lie")]
    public void Entry_that_lies_costs_what_it_leads_to(int at, ulong entry, string message)
    {
        (byte[] file, byte[] expected) = Build("ddd", 3 * Cluster);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), entry);
        using QedDisk disk = Open(file);
        byte[] part = new byte[100];
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => disk.Read(Cluster, part)).Message, StringComparison.Ordinal);
        Assert.Equal(2 * Cluster, disk.DamageEnd(Cluster));
        if (at != L1)
        {
            disk.Read(2 * Cluster, part);
            Assert.Equal(expected[(2 * Cluster)..((2 * Cluster) + 100)], part);
        }
    }

    [Fact]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error()
    {
        (byte[] sound, _) = Build("ddzd-d", 6 * Cluster);
        (int opened, int rounds) = DiskAsserts.SurvivesChanges(
            sound, [(0, 64), (L1, 16), (L2, 64)], storage => QedDisk.Open(storage, _ => RawDisk.Open(new MemoryStorage(new byte[100]))));
        Assert.InRange(opened, rounds / 4, rounds);
    }

    /// <summary>Tables of one cluster are not among them: QEMU makes such images, and does not open them.</summary>
    [QemuTheory]
    [InlineData("cluster_size=65536")]
    [InlineData("cluster_size=4096,table_size=2")]
    [InlineData("cluster_size=16384,table_size=16")]
    public void What_qemu_img_writes_is_read(string options)
    {
        using var folder = new TempFolder();
        byte[] content = new byte[(20 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 3 << 20));
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(folder.File("disk.raw"), content);
        string path = folder.File("disk.qed");
        QemuImg.Run("convert", "-f", "raw", "-O", "qed", "-o", options, folder.File("disk.raw"), path);
        using VirtualDisk disk = Format.Open(path);
        VhdxDiskTests.AssertShows(content, disk, new Random(7));
    }

    [QemuFact]
    public void Overlay_of_qemu_img_is_read()
    {
        using var folder = new TempFolder();
        QemuImg.RunIn(folder.Path, "create", "-q", "-f", "raw", "base.raw", "2M");
        QemuImg.RunIo("-f", "raw", "-c", "write -P 1 0 1M", folder.File("base.raw"));
        QemuImg.RunIn(folder.Path, "create", "-q", "-f", "qed", "-b", "base.raw", "-F", "raw", "top.qed", "3M");
        QemuImg.RunIo("-f", "qed", "-c", "write -P 2 512 7k", "-c", "write -z 128k 256k", "-c", "write -P 3 2600k 64k", folder.File("top.qed"));
        QemuImg.RunIn(folder.Path, "convert", "-f", "qed", "-O", "raw", "top.qed", "out.raw");
        using VirtualDisk disk = Format.Open(folder.File("top.qed"));
        byte[] read = new byte[disk.Length];
        disk.Read(0, read);
        Assert.Equal(File.ReadAllBytes(folder.File("out.raw")), read);
        Assert.Contains(disk.GetExtents(), extent => extent is { Kind: ExtentKind.Zero, Depth: 0 });
    }

    /// <summary>An image with a header of two clusters, whose clusters are none ('-'), zeros ('z') or data ('d'), and the disk that it shows over zeros.</summary>
    internal static (byte[] File, byte[] Disk) Build(string clusters, int size, int features = 0, string? backing = null)
    {
        var random = new Random(1);
        byte[] file = new byte[Data + (clusters.Count(kind => kind == 'd') * Cluster)];
        byte[] disk = new byte[clusters.Length * Cluster];
        "QED\0"u8.CopyTo(file);
        foreach ((int at, uint value) in new[]
            {
                (4, (uint)Cluster), (8, 2U), (12, 2U), (16, (uint)features), (40, (uint)L1), (48, (uint)size), (56, 64U), (60, (uint)(backing?.Length ?? 0)), (L1, clusters == "-" ? 0U : L2),
            })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        }

        Encoding.UTF8.GetBytes(backing ?? "").CopyTo(file, 64);
        int next = Data;
        for (int i = 0; i < clusters.Length; i++)
        {
            ulong entry = clusters[i] == 'z' ? 1UL : 0;
            if (clusters[i] == 'd')
            {
                entry = (ulong)next;
                random.NextBytes(file.AsSpan(next, Cluster));
                file.AsSpan(next, Cluster).CopyTo(disk.AsSpan(i * Cluster));
                next += Cluster;
            }

            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(L2 + (i * 8)), entry);
        }

        return (file, disk[..size]);
    }
}
