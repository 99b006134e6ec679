using System.Globalization;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Writing;

/// <summary>qemu-io and we write one image in turn, and neither ever spoils what the other wrote.</summary>
public sealed class MixedWritersTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("cluster-512", "-o", "cluster_size=512,refcount_bits=64")]
    [InlineData("cluster-4096", "-o", "cluster_size=4096,refcount_bits=1")]
    [InlineData("cluster-65536", "-o", "cluster_size=65536")]
    [InlineData("extended", "-o", "extended_l2=on,cluster_size=16384")]
    [InlineData("extended-zstd", "-o", "extended_l2=on,compression_type=zstd")]
    [InlineData("version-2", "-o", "compat=0.10")]
    [InlineData("backing", "-b", "base.raw", "-F", "raw", "-o", "cluster_size=4096")]
    [InlineData("snapshots", "-o", "cluster_size=8192")]
    public void Image_agrees_with_the_model_after_every_turn(string name, params string[] layout)
    {
        int seed = TestRounds.Seed(name);
        string path = _folder.File("image.qcow2");
        byte[] content = new byte[2_000_384];
        if (name == "backing")
        {
            byte[] below = new byte[1_500_000 & ~511];
            new Random(seed).NextBytes(below);
            _folder.Write("base.raw", below);
            below.CopyTo(content, 0);
        }

        QemuImg.RunIn(_folder.Path, ["create", "-q", "-f", "qcow2", .. layout, path, content.Length.ToString(CultureInfo.InvariantCulture)]);
        var model = new DiskModel(content, 4096, seed, name);
        List<byte[]> snapshots = [];
        for (int turn = 0; turn < TestRounds.Times(12); turn++)
        {
            WriteByQemu(path, model, canCompress: name != "cluster-512", canDiscard: name is not ("backing" or "version-2"));
            using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
            {
                model.AssertEqual(image);
                for (int i = 0; i < snapshots.Count; i++)
                {
                    Assert.True(snapshots[i].AsSpan().SequenceEqual(DiskModel.ReadAll(image.OpenSnapshot(image.Snapshots[i]))), $"Snapshot {i} changed.");
                }

                for (int i = model.Random.Next(1, 12); i > 0; i--)
                {
                    model.WriteSome(image);
                }
            }

            if (name == "snapshots" && turn % 3 == 1)
            {
                QemuImg.Run("snapshot", "-c", $"turn-{turn}", path);
                snapshots.Add([.. model.Content]);
            }

            (int corruptions, int leaks, string output) = QemuJudge.Check(path);
            if (corruptions + leaks > 0)
            {
                model.Fail($"turn {turn}: {output}");
            }
        }

        model.AssertEqual(QemuJudge.Read(path, _folder)!);
    }

    private static bool HasHostCluster(Qcow2Image image, long offset)
        => image.GetExtents(offset, image.Header.ClusterSize).Any(extent => extent is { Depth: 0, IsCompressed: false, HostOffset: not null });

    /// <summary>A dozen commands of one qemu-io.</summary>
    private static void WriteByQemu(string path, DiskModel model, bool canCompress, bool canDiscard)
    {
        List<string> commands = [];
        using (Qcow2Image image = Qcow2Image.Open(path))
        {
            int cluster = image.Header.ClusterSize;
            for (int i = model.Random.Next(1, 9); i > 0; i--)
            {
                int length = Math.Min(model.Content.Length, 512 * model.Random.Next(1, 100));
                int offset = model.Random.Next((model.Content.Length - length) / 512) * 512;
                byte value = (byte)model.Random.Next(1, 256);
                string command = "write -P " + value;
                switch (model.Random.Next(6))
                {
                    case 0:
                        (command, value) = ("write -z", 0);
                        break;
                    case 1:
                        (command, value) = ("write -z -u", 0);
                        break;
                    case 2 when canCompress && commands.Count == 0 && !HasHostCluster(image, offset / cluster * cluster):
                        // qemu does not compress into a cluster that has a place of its own.
                        (offset, length) = (offset / cluster * cluster, cluster);
                        length = Math.Min(length, model.Content.Length - offset);
                        command = "write -c -P " + value;
                        break;
                    case 3 when canDiscard:
                        (offset, length) = (offset / cluster * cluster, (length + cluster - 1) / cluster * cluster);
                        length = Math.Min(length, (model.Content.Length - offset) / cluster * cluster);
                        (command, value) = ("discard", 0);
                        break;
                }

                if (length > 0)
                {
                    commands.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"{command} {offset} {length}")]);
                    model.Content.AsSpan(offset, length).Fill(value);
                }
            }
        }

        if (commands.Count > 0)
        {
            ProgramResult result = QemuImg.TryRunIo(["-d", "unmap", "-f", "qcow2", .. commands, path]);
            if (result.ExitCode != 0 || result.Output.Contains("failed", StringComparison.Ordinal))
            {
                model.Fail($"qemu-io {string.Join(' ', commands)}: {result.Output}{result.Error}");
            }
        }
    }
}
