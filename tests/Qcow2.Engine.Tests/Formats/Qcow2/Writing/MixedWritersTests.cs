using System.Globalization;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>qemu-io and we write one image in turn, and neither ever spoils what the other wrote.</summary>
public sealed class MixedWritersTests : IDisposable
{
    private const int SectorSize = 512;
    private const int MostClusterBytes = 65_536;
    private const int MostSnapshots = 4;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("cluster-512", "-o", "cluster_size=512,refcount_bits=64")]
    [InlineData("cluster-512-backing", "-b", "base.raw", "-F", "raw", "-o", "cluster_size=512")]
    [InlineData("cluster-4096", "-o", "cluster_size=4096,refcount_bits=1")]
    [InlineData("cluster-65536", "-o", "cluster_size=65536")]
    [InlineData("zstd", "-o", "compression_type=zstd,cluster_size=32768,refcount_bits=8")]
    [InlineData("extended", "-o", "extended_l2=on,cluster_size=16384")]
    [InlineData("extended-zstd", "-o", "extended_l2=on,compression_type=zstd")]
    [InlineData("extended-backing", "-b", "base.raw", "-F", "raw", "-o", "extended_l2=on,cluster_size=16384")]
    [InlineData("version-2", "-o", "compat=0.10")]
    [InlineData("version-2-backing", "-b", "base.raw", "-F", "raw", "-o", "compat=0.10,cluster_size=4096")]
    [InlineData("backing", "-b", "base.raw", "-F", "raw", "-o", "cluster_size=4096")]
    [InlineData("data-file", "-o", "data_file=data.raw,cluster_size=4096")]
    [InlineData("data-file-backing", "-b", "base.raw", "-F", "raw", "-o", "data_file=data.raw,cluster_size=65536")]
    [InlineData("data-file-extended", "-o", "data_file=data.raw,extended_l2=on,cluster_size=16384")]
    [InlineData("data-file-raw", "-o", "data_file=data.raw,data_file_raw=on,cluster_size=4096")]
    [InlineData("snapshots", "-o", "cluster_size=8192")]
    [InlineData("amended-snapshots", "-o", "cluster_size=8192")]
    [InlineData("amended", "-o", "cluster_size=512,refcount_bits=64,lazy_refcounts=on")]
    public void Image_agrees_with_the_model_after_every_turn(string name, params string[] layout)
    {
        int seed = TestRounds.Seed(name);
        string path = _folder.File("image.qcow2");
        byte[] content = new byte[2_000_384];
        if (name.EndsWith("backing", StringComparison.Ordinal))
        {
            byte[] below = new byte[1_500_000 & ~(SectorSize - 1)];
            new Random(seed).NextBytes(below);
            _folder.Write("base.raw", below);
            below.CopyTo(content, 0);
        }

        QemuImg.RunIn(_folder.Path, ["create", "-q", "-f", "qcow2", .. layout, path, content.Length.ToString(CultureInfo.InvariantCulture)]);
        var model = new DiskModel(content, 4096, seed, name);
        var snapshots = new List<(string Name, byte[] Content)>();
        for (int turn = 0; turn < TestRounds.Times(12); turn++)
        {
            WriteByQemu(path, model);
            using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
            {
                model.AssertEqual(image);
                foreach ((string snapshot, byte[] expected) in snapshots)
                {
                    Assert.True(expected.AsSpan().SequenceEqual(DiskModel.ReadAll(image.OpenSnapshot(image.FindSnapshot(snapshot)))), $"{snapshot} changed.");
                }

                for (int i = model.Random.Next(1, 16); i > 0; i--)
                {
                    model.Step(image, canResize: false);
                }

                if (turn % 4 == 3)
                {
                    model.NextResize(image, WholeSectors(model.NextSize()))();
                }
            }

            if (name is "snapshots" or "amended-snapshots")
            {
                ChangeSnapshots(path, model, turn, snapshots);
            }

            if (turn % 4 == 1 && name != "version-2-backing")
            {
                // Of a cluster that it cuts, qemu keeps the rest, and shows it again when the disk grows.
                int size = (model.NextSize() + MostClusterBytes - 1) & ~(MostClusterBytes - 1);
                QemuImg.RunIn(_folder.Path, ["resize", "-q", "-f", "qcow2", "--shrink", path, size.ToString(CultureInfo.InvariantCulture)]);
                model.SetLength(size);
            }

            if (name.StartsWith("amended", StringComparison.Ordinal))
            {
                Amend(path, model, turn, snapshots.TrueForAll(snapshot => snapshot.Content.Length == model.Content.Length));
            }

            (int corruptions, int leaks, string output) = QemuJudge.Check(path);
            if (corruptions + leaks > 0)
            {
                model.Fail($"turn {turn}: {output}");
            }
        }

        model.AssertEqual(QemuJudge.Read(path, _folder)!);
        if (name == "data-file-raw")
        {
            model.AssertEqual(File.ReadAllBytes(_folder.File("data.raw")));
        }
    }

    private static int WholeSectors(int size) => (size + SectorSize - 1) & ~(SectorSize - 1);

    private static bool IsAllocated(Qcow2Image image, long offset)
        => image.GetExtents(offset, image.Header.ClusterSize).Any(extent => extent is { Depth: 0, IsCompressed: true } or { Depth: 0, HostOffset: not null });

    private static void ChangeSnapshots(string path, DiskModel model, int turn, List<(string Name, byte[] Content)> snapshots)
    {
        if (turn % 3 == 1)
        {
            QemuImg.Run("snapshot", "-c", $"turn-{turn}", path);
            snapshots.Add(($"turn-{turn}", [.. model.Content]));
        }

        if (snapshots.Count > MostSnapshots)
        {
            int index = model.Random.Next(snapshots.Count);
            QemuImg.Run("snapshot", "-d", snapshots[index].Name, path);
            snapshots.RemoveAt(index);
        }
    }

    /// <summary>
    /// Changes the version, the refcounts and what is said of them, by QEMU and by us. Version 2 knows one size for the disk and its snapshots, and cannot be resized with
    /// snapshots: so an image is of version 3 again when that comes.
    /// </summary>
    private static void Amend(string path, DiskModel model, int turn, bool hasOneSize)
    {
        int[] widths = [4, 8, 16, 32, 64]; // A cluster of all snapshots has more than two owners.
        int bits = widths[model.Random.Next(widths.Length)];
        bool isLazy = model.Random.Next(2) == 0;
        bool isOld = turn % 2 == 1 && hasOneSize && model.Random.Next(4) > 0;
        if (turn % 4 < 2)
        {
            ImageAmend.Amend(path, isOld ? new() { Version = 2, RefcountBits = 16 } : new() { Version = 3, RefcountBits = bits, LazyRefcounts = isLazy });
        }
        else
        {
            QemuImg.Run("amend", "-f", "qcow2", "-o", isOld ? "compat=0.10,refcount_bits=16" : $"compat=1.1,refcount_bits={bits},lazy_refcounts={(isLazy ? "on" : "off")}", path);
        }

        Qcow2ImageInfo amended = Qcow2ImageInfo.Read(path);
        Assert.Equal(isOld ? (2, 16) : (3, bits), (amended.Version!.Value, amended.RefcountBits!.Value));
    }

    /// <summary>Some commands of one qemu-io.</summary>
    private void WriteByQemu(string path, DiskModel model)
    {
        List<string> commands = [];
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            int cluster = image.Header.ClusterSize;

            // qemu discards nothing where the backing file would show through.
            bool canDiscard = image.Header.Version >= 3 || image.Backing is null;
            HashSet<int> taken = [];

            // In one process it is either only to compress or not at all: qemu 7.2 goes on packing compressed data into a cluster
            // that it freed meanwhile, and overwrites what has moved in.
            bool compresses = DiskModel.CanCompress(image) && model.Random.Next(3) == 0;
            for (int i = model.Random.Next(1, 17); i > 0; i--)
            {
                int length = Math.Min(model.Content.Length, SectorSize * model.Random.Next(1, 100));
                int offset = model.Random.Next(((model.Content.Length - length) / SectorSize) + 1) * SectorSize;
                byte value = (byte)model.Random.Next(1, 256);
                string command = "write -P " + value;
                switch (compresses ? 2 : model.Random.Next(6))
                {
                    case 0:
                        (command, value) = ("write -z", 0);
                        break;
                    case 1:
                        (command, value) = ("write -z -u", 0);
                        break;
                    case 2 when compresses:
                        // It compresses into clusters that have no place yet, and no others.
                        offset = offset / cluster * cluster;
                        length = taken.Contains(offset / cluster) || IsAllocated(image, offset) ? 0 : Math.Min(cluster, model.Content.Length - offset);
                        command = "write -c -P " + value;
                        break;
                    case 3 when canDiscard:
                        (offset, length) = (offset / cluster * cluster, (length + cluster - 1) / cluster * cluster);
                        length = Math.Min(length, (model.Content.Length - offset) / cluster * cluster);
                        (command, value) = ("discard", 0);
                        break;
                }

                if (length == 0)
                {
                    continue;
                }

                commands.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"{command} {offset} {length}")]);
                model.Content.AsSpan(offset, length).Fill(value);
                taken.UnionWith(Enumerable.Range(offset / cluster, ((offset + length - 1) / cluster) - (offset / cluster) + 1));
            }
        }

        if (commands.Count > 0)
        {
            ProgramResult result = QemuImg.TryRunIoIn(_folder.Path, ["-d", "unmap", "-f", "qcow2", .. commands, path]);
            if (result.ExitCode != 0 || result.Output.Contains("failed", StringComparison.Ordinal))
            {
                model.Fail($"qemu-io {string.Join(' ', commands)}: {result.Output}{result.Error}");
            }
        }
    }
}
