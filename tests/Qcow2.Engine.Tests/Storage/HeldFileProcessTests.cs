using System.Diagnostics;
using System.Globalization;
using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>One process replaces an image that another one writes.</summary>
public sealed class HeldFileProcessTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact]
    public async Task Nothing_that_another_process_writes_between_two_replacements_is_lost()
    {
        string path = _folder.File("image.qcow2");
        using (var image = Qcow2Image.Create(path, 1 << 20))
        {
            image.Write(0, new byte[512]);
        }

        ProcessStartInfo start = CrashWriterProgram.Start("count", path);
        start.RedirectStandardOutput = true;
        using Process writer = Process.Start(start)!;
        try
        {
            Assert.Equal("1", await writer.StandardOutput.ReadLineAsync());
            int replaced = 0;
            for (var watch = Stopwatch.StartNew(); replaced < 40 && watch.Elapsed < TimeSpan.FromSeconds(60);)
            {
                try
                {
                    ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true, ThrottleLimit = 1 });
                    replaced++;
                    await Task.Delay(1); // Whoever waits gets a turn.
                }
                catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ImageLocked)
                {
                    // The writer's turn.
                }
            }

            Assert.True(replaced > 5, $"{replaced} replacements");
        }
        finally
        {
            writer.Kill();
        }

        string[] lines = (await writer.StandardOutput.ReadToEndAsync()).Split('\n');
        await writer.WaitForExitAsync();
        long said = long.Parse(lines[^2], CultureInfo.InvariantCulture);
        Assert.Equal(said, lines[..^1].Length + 1); // It counts by what it finds: a number that was said twice was lost once.
        byte[] number = new byte[sizeof(long)];
        using Qcow2Image last = Qcow2Image.Open(path);
        last.Read(0, number);
        Assert.InRange(BitConverter.ToInt64(number), said, said + 1);
    }
}
