using Qcow2.Engine.Chains;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>
/// Snapshots, merges, rebases and writes in any order, against a model of every image and every snapshot; qemu-img has the last word.
/// </summary>
public sealed class ChainSnapshotModelTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _scratch = new();

    // What each image's snapshots must show, by their ids.
    private readonly Dictionary<Layer, Dictionary<string, byte[]>> _snapshots = [];

    public static TheoryData<int> Chains => [.. Enumerable.Range(0, TestRounds.Times(6))];

    public void Dispose()
    {
        _folder.Dispose();
        _scratch.Dispose();
    }

    [Theory, MemberData(nameof(Chains))]
    public void Chain_and_its_snapshots_show_what_the_models_say(int number)
    {
        int seed = TestRounds.Seed($"chain with snapshots {number}");
        var random = new Random(seed);
        var chain = new ChainFolder(_folder.Path, random);
        Layer bottom = chain.Add(null, mayBeRaw: true);
        Layer middle = chain.Add(bottom, mayBeRaw: false);
        chain.Add(middle, mayBeRaw: false);
        chain.Add(null, mayBeRaw: false);
        string label = $"chain with snapshots {number}, QCOW2_TEST_SEED={seed}";
        for (int i = 0; i < 14; i++)
        {
            List<Layer> images = [.. chain.Layers.Where(layer => layer.Format == "qcow2")];
            Layer image = images[random.Next(images.Count)];
            label = $"{label}; {Step(chain, image, random)} {image.File}";
            AssertSnapshots(chain, label);
        }

        chain.AssertAll(label, _scratch);
        AssertByQemu(chain, label);
    }

    private string Step(ChainFolder chain, Layer image, Random random)
    {
        bool isBase = chain.Layers.Exists(layer => layer.Parent == image);
        switch (random.Next(10))
        {
            case < 3 when !isBase:
                chain.Write(image, random.Next(1, 6));
                return "write";
            case < 7:
                return Snapshot(chain, image, isBase, random);
            case 7 when image.Parent is Layer below:
                return Merge(chain, image, below, random);
            default:
                return Rebase(chain, image, random);
        }
    }

    private string Snapshot(ChainFolder chain, Layer layer, bool isBase, Random random)
    {
        Dictionary<string, byte[]> known = Of(layer);
        using Qcow2Image image = Qcow2Image.Open(chain.PathOf(layer), new Qcow2OpenOptions { Writable = true });
        int choice = known.Count == 0 ? 0 : random.Next(7);
        if (choice < 3)
        {
            SnapshotTableEntry created = image.CreateSnapshot($"{random.Next():x}");
            known[created.Id] = [.. layer.Content];
            return $"create {created.Id} in";
        }

        SnapshotTableEntry snapshot = image.Snapshots[random.Next(image.Snapshots.Count)];
        if (choice < 5 && !isBase)
        {
            image.ApplySnapshot(snapshot);
            layer.Content = [.. known[snapshot.Id]];
            return $"apply {snapshot.Id} in";
        }

        if (choice == 5)
        {
            image.RenameSnapshot(snapshot, $"{random.Next():x}");
            return $"rename {snapshot.Id} in";
        }

        image.DeleteSnapshot(snapshot);
        known.Remove(snapshot.Id);
        return $"delete {snapshot.Id} in";
    }

    private string Merge(ChainFolder chain, Layer image, Layer below, Random random)
    {
        var options = new ImageMergeOptions { Source = random.Next(2) == 0 ? MergedImage.Keep : MergedImage.Default };
        if (image.Content.Length > below.Content.Length && _snapshots.TryGetValue(below, out Dictionary<string, byte[]>? ofBelow) && ofBelow.Count > 0)
        {
            using Qcow2Image grown = Qcow2Image.Open(chain.PathOf(below));
            if (grown.Header.Version == 2)
            {
                grown.Dispose();
                Assert.Throws<NotSupportedException>(() => ImageMerge.Merge(chain.PathOf(image), options));
                return "merge, which version 2 refuses,";
            }
        }

        ImageMerge.Merge(chain.PathOf(image), options);
        chain.Merged(image, below, chain.ReadAll);
        ReadAgain(chain, below);
        return $"merge into {below.File}";
    }

    private static string Rebase(ChainFolder chain, Layer image, Random random)
    {
        List<Layer> possible = [.. chain.Layers.Where(layer => !ChainFolder.ChainOf(layer).Contains(image))];
        Layer? parent = random.Next(3) == 0 || possible.Count == 0 ? null : possible[random.Next(possible.Count)];
        try
        {
            ImageRebase.Rebase(chain.PathOf(image), new ImageRebaseOptions { BackingFile = parent?.File, BackingFormat = parent?.Format });
            image.Parent = parent;
            return $"rebase to {parent?.File ?? "none"}";
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.SnapshotWouldChange)
        {
            return "rebase, which a snapshot refuses,";
        }
    }

    /// <summary>Snapshots show what was merged below them, where they have nothing of their own; what that is, qemu-img judges.</summary>
    private void ReadAgain(ChainFolder chain, Layer changed)
    {
        foreach (Layer layer in chain.Layers.Where(layer => layer != changed && ChainFolder.ChainOf(layer).Contains(changed)))
        {
            using Qcow2Image image = Qcow2Image.Open(chain.PathOf(layer));
            foreach (SnapshotTableEntry snapshot in image.Snapshots)
            {
                Of(layer)[snapshot.Id] = DiskModel.ReadAll(image.OpenSnapshot(snapshot));
            }
        }
    }

    private void AssertSnapshots(ChainFolder chain, string label)
    {
        foreach (Layer layer in chain.Layers.Where(layer => layer.Format == "qcow2"))
        {
            using Qcow2Image image = Qcow2Image.Open(chain.PathOf(layer));
            ChainFolder.AssertSame(layer.Content, DiskModel.ReadAll(image), $"{label}: {layer.File}");
            Assert.Equal(Of(layer).Keys.Order(), image.Snapshots.Select(snapshot => snapshot.Id).Order());
            foreach (SnapshotTableEntry snapshot in image.Snapshots)
            {
                ChainFolder.AssertSame(Of(layer)[snapshot.Id], DiskModel.ReadAll(image.OpenSnapshot(snapshot)), $"{label}: {layer.File}, snapshot {snapshot.Id}");
            }
        }
    }

    private void AssertByQemu(ChainFolder chain, string label)
    {
        if (!QemuImg.IsAvailable)
        {
            return;
        }

        foreach ((Layer layer, Dictionary<string, byte[]> snapshots) in _snapshots)
        {
            foreach ((string id, byte[] content) in snapshots)
            {
                string raw = _scratch.File("snapshot.raw");
                QemuImg.Run("convert", "-l", $"snapshot.id={id}", "-O", "raw", chain.PathOf(layer), raw);
                byte[] found = File.ReadAllBytes(raw);
                int common = Math.Min(found.Length, content.Length); // It is converted at the present size of the disk.
                ChainFolder.AssertSame(content[..common], found[..common], $"{label}: {layer.File}, snapshot {id} by qemu-img");
            }
        }
    }

    private Dictionary<string, byte[]> Of(Layer layer)
    {
        if (!_snapshots.TryGetValue(layer, out Dictionary<string, byte[]>? snapshots))
        {
            _snapshots[layer] = snapshots = [];
        }

        return snapshots;
    }
}
