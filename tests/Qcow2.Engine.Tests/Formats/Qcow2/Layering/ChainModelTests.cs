using Qcow2.Engine.Chains;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>Random merges, rebases and writes in chains of all layouts, against models; qemu-img has the last word.</summary>
public sealed class ChainModelTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _scratch = new();

    public static TheoryData<int> Chains => [.. Enumerable.Range(0, TestRounds.Times(8))];

    public void Dispose()
    {
        _folder.Dispose();
        _scratch.Dispose();
    }

    [Theory, MemberData(nameof(Chains))]
    public void Chain_shows_what_the_models_say(int number)
    {
        int seed = TestRounds.Seed($"chain {number}");
        var random = new Random(seed);
        var chain = new ChainFolder(_folder.Path, random);
        Layer? layer = null;
        for (int i = random.Next(2, 5); i > 0; i--)
        {
            layer = chain.Add(layer, mayBeRaw: true);
        }

        chain.Add(null, mayBeRaw: true);
        string label = $"chain {number}, QCOW2_TEST_SEED={seed}";
        chain.AssertAll(label, _scratch);
        for (int i = 0; i < 6; i++)
        {
            string did = Step(chain, random);
            label = $"{label}; {did}";
            chain.AssertAll(label, _scratch);
        }
    }

    private static string Step(ChainFolder chain, Random random)
    {
        List<Layer> images = [.. chain.Layers.Where(layer => layer.Format == "qcow2")];
        if (images.Count == 0)
        {
            return $"add {chain.Add(chain.Layers[0], mayBeRaw: false).File}";
        }

        Layer image = images[random.Next(images.Count)];
        bool isBase = chain.Layers.Exists(layer => layer.Parent == image);
        switch (random.Next(5))
        {
            case 0 or 1 when image.Parent is not null:
                return Merge(chain, image, random, isBase);
            case 2 or 3:
                return Rebase(chain, image, random);
            case 4 when !isBase:
                chain.Write(image, random.Next(1, 10));
                return $"write {image.File}";
            default:
                return $"add {chain.Add(image, mayBeRaw: false).File} on {image.File}";
        }
    }

    private static string Merge(ChainFolder chain, Layer image, Random random, bool isBase)
    {
        List<Layer> below = [.. ChainFolder.ChainOf(image).Skip(1)];
        Layer destination = below[random.Next(below.Count)];
        bool deletes = !isBase && random.Next(3) == 0
            && chain.Layers.TrueForAll(layer => layer == image || layer.Parent is null || !below.Contains(layer.Parent) || below.Contains(layer));
        var options = new ImageMergeOptions
        {
            DestinationPath = destination == below[0] && random.Next(2) == 0 ? null : chain.PathOf(destination),
            Source = deletes ? MergedImage.Delete : random.Next(3) == 0 ? MergedImage.Keep : MergedImage.Default,
            ThrottleLimit = random.Next(1, 4),
        };
        ImageMerge.Merge(chain.PathOf(image), options);
        if (deletes)
        {
            foreach (Layer gone in ChainFolder.ChainOf(image).TakeWhile(layer => layer != destination))
            {
                Assert.False(File.Exists(chain.PathOf(gone)), $"{gone.File} is still there.");
                chain.Layers.Remove(gone);
            }
        }

        chain.Merged(image, destination, chain.ReadAll);
        return $"merge {image.File} into {destination.File} ({options.Source})";
    }

    private static string Rebase(ChainFolder chain, Layer image, Random random)
    {
        List<Layer> possible = [.. chain.Layers.Where(layer => !ChainFolder.ChainOf(layer).Contains(image))];
        Layer? parent = random.Next(4) == 0 || possible.Count == 0 ? null : possible[random.Next(possible.Count)];
        ImageRebase.Rebase(chain.PathOf(image), new ImageRebaseOptions
        {
            BackingFile = parent is null ? null : random.Next(2) == 0 ? parent.File : chain.PathOf(parent),
            BackingFormat = parent?.Format,
            ThrottleLimit = random.Next(1, 4),
        });
        image.Parent = parent;
        return $"rebase {image.File} to {parent?.File ?? "none"}";
    }
}
