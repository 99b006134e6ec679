using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Disks.Checking;

/// <summary>What the checks of all formats have in common: progress, cancellation, and work that a lie does not make larger.</summary>
public sealed class FileCheckTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Formats => [.. DiskFormats.All.Where(format => format.CanCheck).Select(format => format.Name)];

    public static TheoryData<string> Makeable => [.. DiskFormats.All.Where(format => format.CanCheck && format.CanCreate).Select(format => format.Name)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_format_with_a_structure_is_checked() => Assert.Equal([DiskFormats.Raw], DiskFormats.All.Where(format => !format.CanCheck));

    [Theory, MemberData(nameof(Makeable))]
    public void Progress_is_told_and_the_check_can_be_stopped(string name)
    {
        string path = Make(name);
        var told = new List<Qcow2CheckProgress>();
        Qcow2CheckResult result = DiskFormats.Get(name).Check(path, new Qcow2CheckOptions { ReadData = true, ThrottleLimit = 1 }, new Told(told));
        Assert.True(result.IsHealthy);
        Assert.NotEmpty(told);
        Assert.All(told, one => Assert.InRange(one.BytesDone, 0, one.BytesTotal));
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(
            () => DiskFormats.Get(name).Check(path, new Qcow2CheckOptions { ReadData = true, ThrottleLimit = 1 }, new Told(told, stop), stop.Token));
    }

    [Fact]
    public void A_disk_without_structure_says_so()
    {
        Assert.False(DiskFormats.Raw.CanCheck);
        File.WriteAllBytes(_folder.File("disk.raw"), new byte[512]);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => DiskFormats.Raw.Check(_folder.File("disk.raw")));
        Assert.Equal((Qcow2ErrorCode.UnsupportedFeature, _folder.File("disk.raw")), (error.Code, error.Path));
    }

    [Theory, MemberData(nameof(Formats))]
    public void Nothing_but_an_error_comes_of_a_file_that_is_none(string name)
    {
        foreach (int length in new[] { 0, 1, 511, 512, 4096, 1 << 20 })
        {
            Assert.Throws<Qcow2Exception>(() => DiskFormats.Get(name).Check(new MemoryStorage(new byte[length])));
        }
    }

    private string Make(string name)
    {
        byte[] content = new byte[5 << 20];
        new Random(1).NextBytes(content);
        string path = _folder.File("disk." + name);
        DiskCreateOptions layout = typeof(DiskCreateOptions).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(DiskCreateOptions)) && !type.IsAbstract)
            .Select(type => (DiskCreateOptions)Activator.CreateInstance(type)!)
            .Single(one => one.FormatName == name);
        using RawDisk source = RawDisk.Open(new MemoryStorage(content));
        DiskConverter.Convert(source, path, layout);
        return path;
    }

    private sealed class Told(List<Qcow2CheckProgress> list, CancellationTokenSource? stop = null) : IProgress<Qcow2CheckProgress>
    {
        public void Report(Qcow2CheckProgress value)
        {
            list.Add(value);
            stop?.Cancel();
        }
    }
}
