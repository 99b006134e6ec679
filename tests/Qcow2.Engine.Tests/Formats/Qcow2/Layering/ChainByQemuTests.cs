using Qcow2.Engine.Chains;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>What qemu-img makes of the same chain with the same command.</summary>
public sealed class ChainByQemuTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _scratch = new();

    public static TheoryData<int> Chains => [.. Enumerable.Range(0, TestRounds.Times(8))];

    public void Dispose()
    {
        _folder.Dispose();
        _scratch.Dispose();
    }

    [QemuTheory, MemberData(nameof(Chains))]
    public void Every_image_shows_what_qemu_img_makes_of_it(int number)
    {
        int seed = TestRounds.Seed($"by qemu {number}");
        string label = $"chain {number}, QCOW2_TEST_SEED={seed}";
        var random = new Random(seed);
        var chain = new ChainFolder(_folder.Path, random);
        Layer? layer = null;
        for (int i = random.Next(3, 5); i > 0; i--)
        {
            layer = chain.Add(layer, mayBeRaw: true);
        }

        Layer other = chain.Add(null, mayBeRaw: true);
        string theirs = _scratch.File("theirs/x");
        theirs = Path.GetDirectoryName(theirs)!;
        foreach (Layer image in chain.Layers)
        {
            File.Copy(chain.PathOf(image), Path.Combine(theirs, image.File));
        }

        string top = layer!.File;
        if (number % 2 == 0)
        {
            List<Layer> below = [.. ChainFolder.ChainOf(layer).Skip(1)];
            Layer destination = below[random.Next(below.Count)];
            bool keep = random.Next(2) == 0;
            label += $", commit {top} into {destination.File}";
            ImageMerge.Merge(chain.PathOf(layer), new ImageMergeOptions
            {
                DestinationPath = chain.PathOf(destination),
                Source = keep ? MergedImage.Keep : MergedImage.Default,
            });
            string[] kept = keep ? ["-d"] : [];
            string[] into = destination == layer.Parent ? [] : ["-b", destination.File];
            ProgramResult result = QemuImg.TryRunIn(theirs, [.. (string[])["commit", "-q"], .. kept, .. into, top]);
            if (result.Error.Contains("Operation not supported", StringComparison.Ordinal))
            {
                return; // An image with subclusters and a backing file does not grow there.
            }

            Assert.True(result.ExitCode == 0, $"{label}: {result.Error}");
            Assert.Equal(IsSmall(Path.Combine(theirs, top), layer), IsSmall(chain.PathOf(layer), layer));
        }
        else
        {
            Layer?[] possible = [null, other, .. ChainFolder.ChainOf(layer).Skip(1)];
            Layer? parent = possible[random.Next(possible.Length)];
            label += $", rebase {top} to {parent?.File}";
            ImageRebase.Rebase(chain.PathOf(layer), new ImageRebaseOptions { BackingFile = parent?.File, BackingFormat = parent?.Format });
            string[] named = parent is null ? [] : ["-F", parent.Format];
            QemuImg.RunIn(theirs, ["rebase", "-q", .. named, "-b", parent?.File ?? "", top]);
        }

        foreach (Layer image in chain.Layers)
        {
            string path = Path.Combine(theirs, image.File);
            byte[] expected = image.Format == "raw" ? File.ReadAllBytes(path) : QemuJudge.Read(path, _scratch)!;
            ChainFolder.AssertSame(expected, chain.ReadByQemu(image, _scratch), $"{label}: {image.File}");
        }
    }

    /// <summary>Whether an image was emptied: no data is left in its map.</summary>
    private static bool IsSmall(string path, Layer layer)
    {
        using Qcow2Image image = Qcow2Image.Open(path);
        return image.Length == layer.Content.Length && !image.GetExtents().Any(extent => extent.Depth == 0 && extent.Kind == ExtentKind.Data);
    }
}
