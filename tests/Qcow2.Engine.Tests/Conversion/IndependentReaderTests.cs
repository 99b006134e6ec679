using System.Diagnostics;
using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>
/// What readers that share no code with QEMU or with this engine make of our images: 7-Zip (Debian's package 7zip) and libqcow
/// (libqcow-utils, python3-libqcow). Both read whole clusters, so a file that ends inside one is cut off for them.
/// </summary>
public sealed class IndependentReaderTests : IDisposable
{
    private const int DiskSize = 10 << 20;

    private readonly TempFolder _folder = new();
    private readonly byte[] _content = new byte[DiskSize];

    public IndependentReaderTests()
    {
        // The last cluster that is written holds little, and the rest of it is a hole.
        new Random(1).NextBytes(_content.AsSpan(0, 70_000));
        _content.AsSpan(5 * 65_536, 4096).Fill((byte)'B');
    }

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool> Layouts => new()
    {
        { "plain", false }, { "plain", true }, { "2M", false }, { "2M", true }, { "4096", false }, { "v2", false }, { "v2", true },
        { "written", false }, { "converted into", false }, { "exported", false }, { "compacted", true }, { "grown", false },
    };

    [ToolTheory("7zz"), MemberData(nameof(Layouts))]
    public void SevenZip_reads_the_disk(string how, bool compress)
    {
        string path = Make(how, compress);
        Assert.Contains("Everything is Ok", Run("7zz", ["t", "-tqcow", path]), StringComparison.Ordinal);
        string folder = Path.Combine(_folder.Path, "out");
        Run("7zz", ["x", "-y", "-tqcow", $"-o{folder}", path]);
        AssertSame(File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder))));
    }

    [ToolTheory("qcowinfo"), MemberData(nameof(Layouts))]
    public void Libqcow_knows_the_disk(string how, bool compress)
        => Assert.Contains($"({DiskSize} bytes)", Run("qcowinfo", [Make(how, compress)]), StringComparison.Ordinal);

    [LibqcowTheory, MemberData(nameof(Layouts))]
    public void Libqcow_reads_the_disk(string how, bool compress)
    {
        const string Script = """
            import pyqcow, sys
            f = pyqcow.file()
            f.open(sys.argv[1])
            done, size = 0, f.get_media_size()
            with open(sys.argv[2], 'wb') as out:
                while done < size:
                    data = f.read_buffer_at_offset(min(1 << 20, size - done), done)
                    out.write(data)
                    done += len(data)
            """;
        string raw = _folder.File("by-libqcow.raw");
        Run(LibqcowTheoryAttribute.Python, ["-c", Script, Make(how, compress), raw]);
        AssertSame(File.ReadAllBytes(raw));
    }

    private string Make(string how, bool compress)
    {
        string path = _folder.File("disk.qcow2");
        using RawDisk source = RawDisk.Open(_folder.Write("source.raw", _content));
        var options = new ConversionOptions { Compress = compress };
        switch (how)
        {
            case "written":
                using (Qcow2Image image = Qcow2Image.Create(path, DiskSize))
                {
                    image.Write(0, _content.AsSpan(0, 70_000));
                    image.Write(5 * 65_536, _content.AsSpan(5 * 65_536, 4096));
                }

                break;
            case "converted into":
                using (Qcow2Image image = Qcow2Image.Create(path, DiskSize))
                {
                    DiskConverter.ConvertInto(source, image, isZero: true);
                }

                break;
            case "exported":
                using (Qcow2Image image = Qcow2Image.Create(_folder.File("inner.qcow2"), DiskSize))
                {
                    DiskConverter.ConvertInto(source, image);
                    DiskConverter.ConvertToQcow2(image.OpenSnapshot(image.CreateSnapshot("a")), path);
                }

                break;
            case "compacted":
                DiskConverter.ConvertToQcow2(source, path, options: options);
                ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
                break;
            case "grown":
                using (Qcow2Image image = Qcow2Image.Create(path, DiskSize / 2))
                {
                    image.Resize(DiskSize);
                    DiskConverter.ConvertInto(source, image);
                }

                break;
            default:
                var layout = new Qcow2CreateOptions
                {
                    ClusterSize = how switch { "2M" => 2 << 20, "4096" => 4096, _ => 65_536 },
                    Version = how == "v2" ? 2 : 3,
                };
                DiskConverter.ConvertToQcow2(source, path, layout, options: options);
                break;
        }

        return path;
    }

    private void AssertSame(byte[] actual)
    {
        Assert.Equal(_content.Length, actual.Length);
        Assert.True(_content.AsSpan().SequenceEqual(actual), $"The first difference is at {_content.AsSpan().CommonPrefixLength(actual)}.");
    }

    private static string Run(string program, string[] args)
    {
        (int code, string output) = Start(program, args);
        Assert.True(code == 0, output);
        return output;
    }

    private static (int ExitCode, string Output) Start(string program, string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }

    /// <summary>Needs the system's Python with libqcow's module, and is skipped elsewhere.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class LibqcowTheoryAttribute : TheoryAttribute
    {
        internal const string Python = "/usr/bin/python3";

        public LibqcowTheoryAttribute()
        {
            if (!File.Exists(Python) || Start(Python, ["-c", "import pyqcow"]).ExitCode != 0)
            {
                Skip = $"{Python} has no pyqcow (package python3-libqcow).";
            }
        }
    }
}
