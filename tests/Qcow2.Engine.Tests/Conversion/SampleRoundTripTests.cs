using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Every image of another program that is at hand, through the formats that can be made and back.</summary>
public sealed class SampleRoundTripTests : IDisposable
{
    private const int LayoutsEach = 2;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SampleFact]
    public void Image_of_another_program_stays_the_same()
    {
        string[] samples = [.. Samples.Names.Select(name => Samples.Unpack(_folder, name))];
        int count = 0;
        foreach (string path in samples)
        {
            if (TryOpen(path) is VirtualDisk source)
            {
                using (source)
                {
                    GoThrough(source, count++);
                }
            }
        }

        Assert.InRange(count, 25, 200); // Those that cannot be opened are judged where their format is tested.
    }

    /// <summary>Converts a disk to a few formats, each to the next one, and back.</summary>
    private void GoThrough(VirtualDisk source, int number)
    {
        if (source.Length == 0)
        {
            return; // Not every format has an empty disk.
        }

        var steps = new List<VirtualDisk>();
        try
        {
            VirtualDisk disk = source;
            for (int i = 0; i < LayoutsEach; i++)
            {
                (string name, BlockCreateOptions layout) = BlockLayouts.All.ElementAt(((number * LayoutsEach) + i) % BlockLayouts.All.Count);
                string label = $"{System.IO.Path.GetFileName(source.Path)} as {name}";
                string path = _folder.File($"{number}-{i}");
                DiskConverter.Convert(disk, path, layout, options: new ConversionOptions { ThrottleLimit = 1 + (number % 3) });
                disk = DiskFormats.Get(layout.FormatName).Open(path);
                steps.Add(disk);
                Assert.True(disk.Length == layout.DiskSizeFor(source.Length), label);
                AssertSame(label, source, disk);
            }

            string back = _folder.File($"{number}.qcow2");
            DiskConverter.ConvertToQcow2(disk, back);
            using (Qcow2Image image = Qcow2Image.Open(back))
            {
                AssertSame($"{System.IO.Path.GetFileName(source.Path)} back", source, image);
            }

            File.Delete(back);
        }
        finally
        {
            foreach (VirtualDisk disk in steps)
            {
                disk.Dispose();
                File.Delete(disk.Path);
            }
        }
    }

    private static void AssertSame(string label, VirtualDisk expected, VirtualDisk actual)
    {
        Qcow2CompareResult result = DiskComparer.Compare(expected, actual);
        Assert.True(result.AreEqual, $"{label}: {result}");
    }

    private static VirtualDisk? TryOpen(string path)
    {
        try
        {
            return DiskFormats.Recognize(path).Format?.Open(path);
        }
        catch (Qcow2Exception)
        {
            return null;
        }
    }
}
