using System.Buffers.Binary;
using Qcow2.Engine.Formats.Qcow1;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Vhdx;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow1;

/// <summary>What QCOW images of version 1 show: by hand-made ones, by qemu-img's, by a sample; and each field with a lie in it.</summary>
public sealed class Qcow1DiskTests
{
    private const string Mixed = "d-cdcd--------------------------------------------------------dd------------------------------------------------------------------c";

    private static readonly DiskFormat Qcow = DiskFormats.Get("qcow");

    private static Qcow1Disk Open(byte[] file, string name = "hostile.qcow") => Qcow1Disk.Open(new MemoryStorage(file, name), NoBacking);

    private static VirtualDisk NoBacking(string name) => throw new InvalidOperationException(name);

    [Theory]
    [InlineData(Mixed, 0)]
    [InlineData(Mixed, 700)]
    [InlineData("-", 4000)]
    [InlineData("c", 1)]
    public void Clusters_lie_where_the_tables_say(string clusters, int cut)
    {
        (byte[] file, byte[] expected) = Qcow1Builder.Build(clusters, (clusters.Length * Qcow1Builder.ClusterSize) - cut);
        using Qcow1Disk disk = Open(file);
        VhdxDiskTests.AssertShows(expected, disk, new Random(2));
    }

    [Fact]
    public void Extents_say_what_is_compressed_and_where_the_rest_lies()
    {
        (byte[] file, _) = Qcow1Builder.Build("-dc-", 4 * Qcow1Builder.ClusterSize);
        using Qcow1Disk disk = Open(file);
        DiskExtent[] extents = [.. disk.GetExtents()];
        Assert.Equal([ExtentKind.Unallocated, ExtentKind.Data, ExtentKind.Data, ExtentKind.Unallocated], extents.Select(extent => extent.Kind));
        Assert.Equal([false, false, true, false], extents.Select(extent => extent.IsCompressed));
        Assert.Equal([null, 4608L, null, null], extents.Select(extent => extent.HostOffset));
        Assert.Equal(3 * Qcow1Builder.ClusterSize, disk.DamageEnd((2 * Qcow1Builder.ClusterSize) + 5));
        Assert.Equal(Qcow1Builder.ClusterSize + 512, disk.DamageEnd(Qcow1Builder.ClusterSize + 5));
    }

    [Fact]
    public void Backing_file_shows_through_on_the_word_of_the_caller()
    {
        using var folder = new TempFolder();
        (byte[] file, byte[] expected) = Qcow1Builder.Build("-d-c-", 5 * Qcow1Builder.ClusterSize, backing: "base.img");
        byte[] below = new byte[3 * Qcow1Builder.ClusterSize];
        new Random(3).NextBytes(below);
        below.AsSpan(0, Qcow1Builder.ClusterSize).CopyTo(expected);
        below.AsSpan(2 * Qcow1Builder.ClusterSize).CopyTo(expected.AsSpan(2 * Qcow1Builder.ClusterSize));
        File.WriteAllBytes(folder.File("base.img"), below);
        string path = folder.File("top.qcow");
        File.WriteAllBytes(path, file);

        using (VirtualDisk disk = Qcow.Open(path, new Qcow2OpenOptions { BackingFormat = "raw" }))
        {
            byte[] read = new byte[expected.Length];
            disk.Read(0, read);
            Assert.Equal(expected, read);
            Assert.True(disk.ReadsFrom(folder.File("base.img")));
        }

        Assert.Equal(Qcow2ErrorCode.BackingFormatMissing, Assert.Throws<Qcow2Exception>(() => Qcow.Open(path)).Code);
        Assert.Equal(
            Qcow2ErrorCode.ReferenceForbidden,
            Assert.Throws<Qcow2Exception>(() => Qcow.Open(path, new Qcow2OpenOptions { BackingFormat = "raw", References = ReferencePolicy.Forbid })).Code);
        using (VirtualDisk alone = Qcow.Open(path, new Qcow2OpenOptions { WithoutBacking = true }))
        {
            Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => alone.Read(0, new byte[1])).Code);
        }

        Qcow2ImageInfo info = Qcow.ReadInformation(path);
        Assert.Equal(("qcow", "base.img", null, folder.File("base.img")), (info.Format, info.BackingFile, info.BackingFormat, info.ParentPath));

        // A loop ends.
        (file, _) = Qcow1Builder.Build("-", 4096, backing: "top.qcow");
        File.WriteAllBytes(path, file);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Qcow.Open(path, new Qcow2OpenOptions { BackingFormat = "qcow" })).Code);
    }

    [Fact]
    public void Encrypted_image_is_not_read_without_its_passphrase()
    {
        (byte[] file, _) = Qcow1Builder.Build("d", 4096);
        file[39] = 1;
        using Qcow1Disk disk = Open(file);
        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, Assert.Throws<Qcow2Exception>(() => disk.Read(0, new byte[1])).Code);
        Assert.Contains("encrypted", Assert.Throws<Qcow2Exception>(disk.EnsureReadable).Message, StringComparison.Ordinal);
        Assert.Equal(4096, Assert.Single(disk.GetExtents()).Length);
    }

    [QemuFact]
    public void What_qemu_img_encrypts_is_read_with_the_passphrase()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[(2 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(100_000, 700_000));
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(folder.File("disk.raw"), content);
        string path = folder.File("disk.qcow");
        QemuImg.Run(
            "convert", "-f", "raw", "-O", "qcow", "--object", "secret,id=s,data=open sesame", "-o", "encrypt.format=aes,encrypt.key-secret=s", folder.File("disk.raw"), path);
        Assert.Equal(Engine.Format.EncryptionMethod.Aes, Qcow.ReadInformation(path).EncryptionMethod);
        using var passphrase = Passphrase.FromString("open sesame");
        using VirtualDisk disk = Qcow.Open(path, new Qcow2OpenOptions { Passphrase = passphrase });
        VhdxDiskTests.AssertShows(content, disk, new Random(7));
    }

    [Theory]
    [InlineData(0, 4, 0UL, "no QCOW image of version 1")]
    [InlineData(4, 4, 2UL, "no QCOW image of version 1")]
    [InlineData(8, 8, 20UL, "backing file's name")]
    [InlineData(8, 8, ulong.MaxValue, "backing file's name")]
    [InlineData(16, 4, 1024UL, "limit is 1023")]
    [InlineData(16, 4, 0xffff_ffffUL, "limit is 1023")]
    [InlineData(24, 8, ulong.MaxValue, "entries that the L1 table needs")]
    [InlineData(24, 8, 1UL << 40, "L1 table")]
    [InlineData(32, 1, 8UL, "cluster_bits is 8")]
    [InlineData(32, 1, 17UL, "cluster_bits is 17")]
    [InlineData(32, 1, 255UL, "cluster_bits is 255")]
    [InlineData(33, 1, 5UL, "l2_bits is 5")]
    [InlineData(33, 1, 14UL, "l2_bits is 14")]
    [InlineData(33, 1, 255UL, "l2_bits is 255")]
    [InlineData(36, 4, 2UL, "crypt_method is 2")]
    [InlineData(40, 8, 0UL, "L1 table")]
    [InlineData(40, 8, 513UL, "multiple of 8")]
    [InlineData(40, 8, 0x7fff_ffff_ffff_fff8UL, "L1 table")]
    [InlineData(40, 8, 0xffff_ffff_ffff_fff8UL, "L1 table")]
    public void Header_that_lies_is_refused(int at, int length, ulong value, string message)
    {
        (byte[] file, _) = Qcow1Builder.Build(Mixed, Mixed.Length * Qcow1Builder.ClusterSize, backing: "base.img");
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        bytes.AsSpan(8 - length).CopyTo(file.AsSpan(at));
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(file));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("hostile.qcow", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 8UL, "L2 table")]
    [InlineData(true, 4100UL, "multiple of 8")]
    [InlineData(true, 0x7fff_ffff_ffff_fff8UL, "L2 table")]
    [InlineData(true, 0xffff_ffff_ffff_fff8UL, "L2 table")]
    [InlineData(false, 700UL, "multiple of 512")]
    [InlineData(false, 0x7fff_ffff_ffff_fe00UL, "is said to lie")]
    [InlineData(false, 1UL << 63, "compressed cluster")]
    [InlineData(false, (1UL << 63) | 4096, "have 0 bytes")]
    [InlineData(false, (1UL << 63) | (5UL << 51) | 8, "compressed cluster")]
    [InlineData(false, (1UL << 63) | (1000UL << 51) | 4608, "no deflate stream")]
    [InlineData(false, ulong.MaxValue, "compressed cluster")]
    public void Entry_that_lies_costs_what_it_leads_to(bool isL1, ulong entry, string message)
    {
        const int Cluster = Qcow1Builder.ClusterSize;
        string clusters = "ddd" + new string('-', 61) + "d";
        (byte[] file, byte[] expected) = Qcow1Builder.Build(clusters, clusters.Length * Cluster);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(isL1 ? Qcow1Builder.L1Offset : Qcow1Builder.L2Offset + 8), entry);
        using Qcow1Disk disk = Open(file);
        byte[] part = new byte[100];
        Assert.Contains(message, Assert.Throws<Qcow2Exception>(() => disk.Read(Cluster, part)).Message, StringComparison.Ordinal);
        Assert.Equal(message == "no deflate stream", Record.Exception(() => disk.GetExtents().Count()) is null); // Tables alone do not tell that.
        Assert.Equal(2 * Cluster, disk.DamageEnd(Cluster + 5));
        foreach (int sound in isL1 ? [64] : new[] { 0, 2, 64 })
        {
            disk.Read(sound * Cluster, part);
            Assert.Equal(expected[(sound * Cluster)..((sound * Cluster) + 100)], part);
        }
    }

    [Fact]
    public void Whatever_is_changed_ends_in_a_disk_or_an_error()
    {
        (byte[] sound, _) = Qcow1Builder.Build(Mixed, Mixed.Length * Qcow1Builder.ClusterSize);
        (int opened, int rounds) = DiskAsserts.SurvivesChanges(
            sound, [(0, 48), (Qcow1Builder.L1Offset, 24), (Qcow1Builder.L2Offset, 1536), (5632, 8192)],
            storage => Qcow1Disk.Open(storage, _ => RawDisk.Open(new MemoryStorage(new byte[100]))));
        Assert.InRange(opened, rounds / 4, rounds);
    }

    [QemuTheory]
    [InlineData("")]
    [InlineData("-c")]
    public void What_qemu_img_writes_is_read(string options)
    {
        using var folder = new TempFolder();
        byte[] content = new byte[(20 << 20) + 1024];
        new Random(5).NextBytes(content.AsSpan(9 << 20, 3 << 20));
        content.AsSpan(100_000, 900_000).Fill(7);
        new Random(6).NextBytes(content.AsSpan(content.Length - 700));
        File.WriteAllBytes(folder.File("disk.raw"), content);
        string path = folder.File("disk.qcow");

        // Of compressed ones QEMU (7.2) says that it failed, when all is written; so what it reads back counts.
        ProgramResult made = QemuImg.TryRun(["convert", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-f", "raw", "-O", "qcow", folder.File("disk.raw"), path]);
        Assert.Equal("", made.Error);
        QemuImg.Run("compare", "-q", "-f", "qcow", "-F", "raw", path, folder.File("disk.raw"));
        using VirtualDisk disk = Qcow.Open(path);
        VhdxDiskTests.AssertShows(content, disk, new Random(7));
        Assert.Equal(options.Length > 0, disk.GetExtents().Any(extent => extent.IsCompressed));
    }

    /// <summary>QEMU gives an overlay clusters of 512 bytes.</summary>
    [QemuFact]
    public void Overlay_of_qemu_img_is_read()
    {
        using var folder = new TempFolder();
        QemuImg.RunIn(folder.Path, "create", "-q", "-f", "raw", "base.raw", "2M");
        QemuImg.RunIo("-f", "raw", "-c", "write -P 1 0 1M", folder.File("base.raw"));
        QemuImg.RunIn(folder.Path, "create", "-q", "-f", "qcow", "-b", "base.raw", "-F", "raw", "top.qcow", "3M");
        QemuImg.RunIo("-f", "qcow", "-c", "write -P 2 512 700", "-c", "write -P 3 2600k 64k", folder.File("top.qcow"));
        QemuImg.RunIn(folder.Path, "convert", "-f", "qcow", "-O", "raw", "top.qcow", "out.raw");
        using VirtualDisk disk = Qcow.Open(folder.File("top.qcow"), new Qcow2OpenOptions { BackingFormat = "raw" });
        byte[] read = new byte[disk.Length];
        disk.Read(0, read);
        Assert.Equal(File.ReadAllBytes(folder.File("out.raw")), read);
        Assert.Equal(512, Qcow.ReadInformation(folder.File("top.qcow")).ClusterSize);
    }

    [SampleFact]
    public void Samples_of_other_programs_show_the_disks_of_their_manifest() => DiskAsserts.ShowsManifest("qcow1", 1, storage => Qcow.Open(storage));
}
