using System.Text.Json;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>
/// Extents beside what <c>qemu-img map --output=json</c> says: Unallocated is what it calls not present, Zero what is present and zero,
/// Data what it calls data.
/// </summary>
public sealed class MapByQemuTests : IDisposable
{
    private const int Cluster = 65_536;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_hole_of_a_raw_backing_file_is_present_and_zero()
    {
        using (FileStream file = File.Create(_folder.File("base.raw")))
        {
            file.SetLength(64 << 20);
        }

        string path = _folder.File("overlay.qcow2");
        Qcow2Image.CreateFile(path, 65 << 20, new() { BackingFile = "base.raw", BackingFormat = "raw" });
        using Qcow2Image image = Qcow2Image.Open(path);
        Assert.Equal(
            [
                new DiskExtent(0, 64 << 20, ExtentKind.Zero, 1, _folder.File("base.raw"), 0, false),
                new DiskExtent(64 << 20, 1 << 20, ExtentKind.Unallocated, 0, path, null, false),
            ],
            image.GetExtents());
    }

    [QemuTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Random_chains_have_the_map_that_qemu_says(int number)
    {
        for (int round = 0; round < TestRounds.Times(2); round++)
        {
            int seed = TestRounds.Seed($"map {number} {round}");
            string top = MakeChain(new Random(seed), $"{round}");
            using Qcow2Image image = Qcow2Image.Open(top);
            List<Mapped> ours = [.. image.GetExtents().Select(extent => new Mapped(
                extent.Offset, extent.Length, extent.Depth, extent.Kind != ExtentKind.Unallocated, extent.Kind == ExtentKind.Data, extent.Kind != ExtentKind.Data,
                extent.HostOffset))];
            List<Mapped> qemus = MapOf(top);
            Assert.True(Joined(qemus).SequenceEqual(Joined(ours)), $"QCOW2_TEST_SEED={seed}\n{string.Join("\n", Joined(qemus))}\nours:\n{string.Join("\n", Joined(ours))}");
        }
    }

    /// <summary>
    /// The disk of each format, alone and below an overlay that is larger. Three differences are meant: QEMU calls zeros of a format without differencing disks present though the
    /// file has nothing there (VHD, VDI), it says data and zero at once of a hole in a fixed disk, and it does not look for holes in every format's blocks, where we do.
    /// </summary>
    [QemuTheory]
    [InlineData("raw", "", "")]
    [InlineData("vpc", "", "")]
    [InlineData("vpc", "subformat=fixed", "")]
    [InlineData("vhdx", "", "")]
    [InlineData("vhdx", "subformat=fixed", "")]
    [InlineData("vmdk", "", "")]
    [InlineData("vmdk", "", "vmdk")]
    [InlineData("vmdk", "subformat=twoGbMaxExtentSparse", "")]
    [InlineData("vmdk", "subformat=monolithicFlat", "")]
    [InlineData("vdi", "", "")]
    [InlineData("vdi", "static=on", "")]
    [InlineData("qed", "", "")]
    [InlineData("qed", "", "raw")]
    [InlineData("qcow", "", "")]
    [InlineData("qcow", "", "raw")]
    [InlineData("parallels", "", "")]
    public void Every_format_has_the_map_that_qemu_says(string format, string options, string below)
    {
        string name = $"disk.{(format == "vpc" ? "vhd" : format)}";
        List<string> layers = [];
        if (below.Length > 0)
        {
            // A raw one is shorter than what lies on it.
            QemuImg.RunIn(_folder.Path, "create", "-q", "-f", below, $"base.{below}", below == "raw" ? "6M" : "16M");
            QemuImg.RunIo("-f", below, "-c", "write -P 7 3M 128k", "-c", "write -P 8 5M 64k", _folder.File($"base.{below}"));
            layers.AddRange(["-b", $"base.{below}", "-F", below]);
        }

        if (options.Length > 0)
        {
            layers.AddRange(["-o", options]);
        }

        QemuImg.RunIn(_folder.Path, ["create", "-q", "-f", format, .. layers, name, "16M"]);
        QemuImg.RunIo("-f", format, "-c", "write -P 1 1M 200k", "-c", "write -z 4M 1M", "-c", "write -P 2 9M 64k", _folder.File(name));
        RequireSameMap(name, format);
        QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-b", name, "-F", format, "over.qcow2", "20M");
        QemuImg.RunIo("-f", "qcow2", "-c", "write -P 3 2M 64k", "-c", "write -z 9M 64k", "-c", "write -P 4 18M 64k", _folder.File("over.qcow2"));
        RequireSameMap("over.qcow2", "qcow2");
        QemuImg.RunIn(_folder.Path, "create", "-q", "-f", "qcow2", "-b", "over.qcow2", "-F", "qcow2", "top.qcow2", "24M");
        RequireSameMap("top.qcow2", "qcow2");
    }

    private void RequireSameMap(string name, string format)
    {
        using VirtualDisk disk = DiskFormats.Get(format).Open(_folder.File(name), new() { BackingFormat = "raw" }); // QCOW 1 does not record it.
        List<DiskExtent> ours = [.. disk.GetExtents()];
        List<Mapped> qemus = MapOf(_folder.File(name), format);
        Assert.Equal(qemus.Sum(extent => extent.Length), ours.Sum(extent => extent.Length));
        foreach ((DiskExtent our, Mapped qemu) in from our in ours from qemu in qemus where our.Offset < qemu.Start + qemu.Length && qemu.Start < our.End select (our, qemu))
        {
            string where = $"{our}\n{qemu}";
            long start = Math.Max(our.Offset, qemu.Start);
            Assert.True(our.Depth == qemu.Depth, where);
            Assert.True(qemu.IsPresent || our.Kind == ExtentKind.Unallocated, where);
            Assert.True(!qemu.IsZero || our.Kind != ExtentKind.Data, where);
            if (our.HostOffset is long host && qemu.HostOffset is long theirs)
            {
                Assert.True(host - our.Offset == theirs - qemu.Start, where);
            }

            if (qemu.HostOffset is not null)
            {
                Assert.True(our.HostOffset is not null, where);
            }

            if (our.Kind != ExtentKind.Data && !qemu.IsZero)
            {
                using LocalFile file = LocalFile.OpenRead(our.FilePath);
                long place = our.HostOffset!.Value + start - our.Offset;
                StorageRun run = file.RunAt(place);
                Assert.True(!run.IsData && run.End >= Math.Min(our.End, qemu.Start + qemu.Length) - start + place, where);
            }

            if (our.Kind == ExtentKind.Unallocated && qemu.IsPresent)
            {
                Assert.True(DiskFormats.Recognize(our.FilePath).Mark?.Name is "vhd" or "vdi" && qemu is { IsZero: true, HostOffset: null }, where);
            }
        }
    }

    [Fact]
    public void What_depends_on_kinds_takes_a_raw_hole_for_zeros()
    {
        string raw = _folder.File("base.raw");
        byte[] content = new byte[8 << 20];
        content.AsSpan(1 << 20, 1 << 20).Fill(7);
        using (FileStream file = File.Create(raw))
        {
            file.SetLength(content.Length);
            file.Position = 1 << 20;
            file.Write(content.AsSpan(1 << 20, 1 << 20));
        }

        string overlay = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(overlay, null, new() { BackingFile = "base.raw", BackingFormat = "raw" }))
        {
            image.Write(3 << 20, [9]);
            content[3 << 20] = 9;
        }

        string copy = _folder.File("copy.qcow2");
        using (Qcow2Image image = Qcow2Image.Open(overlay))
        {
            DiskConverter.ConvertToQcow2(image, copy);
            Assert.Equal(content, DiskModel.ReadAll(image));
        }

        using Qcow2Image result = Qcow2Image.Open(copy);
        Assert.Equal(content, DiskModel.ReadAll(result));
        Assert.Equal((1 << 20) + Cluster, result.GetExtents().Where(extent => extent.Kind == ExtentKind.Data).Sum(extent => extent.Length));
        Assert.All(result.GetExtents().Where(extent => extent.Kind != ExtentKind.Data), extent => Assert.Equal(ExtentKind.Unallocated, extent.Kind));
    }

    /// <summary>A raw file, perhaps too short and with holes, or nothing, below one to three images that have data, zeros of both kinds, and nothing.</summary>
    private string MakeChain(Random random, string prefix)
    {
        const int Clusters = 40;
        string? below = null;
        string format = "raw";
        if (random.Next(4) != 0)
        {
            below = $"{prefix}base.raw";
            using FileStream file = File.Create(_folder.File(below));
            file.SetLength(random.Next(1, Clusters) * Cluster);
            for (int i = random.Next(8); i > 0; i--)
            {
                file.Position = random.Next((int)(file.Length / Cluster)) * Cluster;
                file.Write(NewData(random, Cluster));
            }
        }

        string path = "";
        for (int layer = random.Next(1, 4); layer > 0; layer--)
        {
            path = _folder.File($"{prefix}layer{layer}.qcow2");
            using (Qcow2Image image = Qcow2Image.Create(
                path, random.Next(1, Clusters + 1) * Cluster, new() { BackingFile = below, BackingFormat = below is null ? null : format }))
            {
                for (int i = random.Next(12); i > 0; i--)
                {
                    long offset = random.Next((int)(image.Length / Cluster)) * (long)Cluster;
                    switch (random.Next(4))
                    {
                        case 0:
                            image.WriteZeroes(offset, Cluster, keepAllocation: random.Next(2) == 0);
                            break;
                        case 1:
                            image.Discard(offset, Cluster);
                            break;
                        case 2:
                            byte[] half = NewData(random, Cluster);
                            half.AsSpan(Cluster / 2).Clear();
                            image.WriteCompressed(offset, half);
                            break;
                        default:
                            image.Write(offset, NewData(random, Cluster));
                            break;
                    }
                }
            }

            (below, format) = (Path.GetFileName(path), "qcow2");
        }

        return path;
    }

    private static byte[] NewData(Random random, int length)
    {
        byte[] data = new byte[length];
        random.NextBytes(data);
        data[0] = 1;
        return data;
    }

    private static List<Mapped> MapOf(string path, string format = "qcow2")
    {
        using var json = JsonDocument.Parse(QemuImg.RunIn(Path.GetDirectoryName(path)!, "map", "--output=json", "-f", format, path));
        return [.. json.RootElement.EnumerateArray().Select(extent => new Mapped(
            extent.GetProperty("start").GetInt64(),
            extent.GetProperty("length").GetInt64(),
            extent.GetProperty("depth").GetInt32(),
            extent.GetProperty("present").GetBoolean(),
            extent.GetProperty("data").GetBoolean(),
            extent.GetProperty("zero").GetBoolean(),
            extent.TryGetProperty("offset", out JsonElement offset) ? offset.GetInt64() : null))];
    }

    private static List<Mapped> Joined(IEnumerable<Mapped> extents)
    {
        var joined = new List<Mapped>();
        foreach (Mapped extent in extents)
        {
            if (joined.Count > 0 && joined[^1] is var last && last.IsContinuedBy(extent))
            {
                joined[^1] = last with { Length = last.Length + extent.Length };
            }
            else
            {
                joined.Add(extent);
            }
        }

        return joined;
    }

    private sealed record Mapped(long Start, long Length, int Depth, bool IsPresent, bool IsData, bool IsZero, long? HostOffset)
    {
        internal bool IsContinuedBy(Mapped next)
            => (next.Depth, next.IsPresent, next.IsData, next.IsZero) == (Depth, IsPresent, IsData, IsZero)
                && (HostOffset is long host ? next.HostOffset == host + Length : next.HostOffset is null);
    }
}
