using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>What is made here in blocks is sound by the check of its own format, and has no fault to speak of.</summary>
public sealed class CheckOfNewFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => [.. BlockLayouts.All.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Names))]
    public void A_copy_is_sound(string name)
    {
        BlockCreateOptions layout = BlockLayouts.All[name];
        string path = _folder.File("disk");
        using (RawDisk source = RawDisk.Open(new MemoryStorage(BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), (7 << 20) + 4096))))
        {
            DiskConverter.Convert(source, path, layout);
        }

        AssertSound(layout, path);
    }

    [Theory, MemberData(nameof(Names))]
    public void An_empty_file_is_sound(string name)
    {
        string path = _folder.File("disk");
        BlockLayouts.All[name].CreateFile(path, (40L << 20) + 512, overwrite: false, null, default);
        AssertSound(BlockLayouts.All[name], path);
    }

    private static void AssertSound(BlockCreateOptions layout, string path)
    {
        Qcow2CheckResult result = DiskFormats.Get(layout.FormatName).Check(path, new Qcow2CheckOptions { ReadData = true });
        Assert.True(
            result.IsHealthy && result.Findings.All(finding => finding.Kind == Qcow2CheckFindingKind.ReferenceToOtherFile), string.Join("\n", result.Findings.Select(finding => finding.Message)));
        Assert.Equal(path, result.Path);
    }
}
