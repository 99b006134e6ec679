using System.Diagnostics;
using System.Globalization;
using Qcow2.Engine.CrashWriter;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>A process that writes is killed at any time; on the real file system the same holds as in memory.</summary>
public sealed class KillTests : IDisposable
{
    private const int SectorSize = 512;
    private const int DiskLength = 3 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(512, 64, false)]
    [InlineData(4096, 1, false)]
    [InlineData(65_536, 16, false)]
    [InlineData(65_536, 16, true)]
    public async Task Killed_writer_leaves_what_was_flushed(int clusterSize, int refcountBits, bool extendedL2)
    {
        string path = _folder.File("image.qcow2");
        Qcow2Image.Create(
            path, DiskLength, new Qcow2CreateOptions { ClusterSize = clusterSize, RefcountBits = refcountBits, ExtendedL2 = extendedL2 }).Dispose();
        byte[] content = new byte[DiskLength];
        int seed = TestRounds.Seed($"kill {clusterSize} {extendedL2}");
        var random = new Random(seed);
        for (int round = 0; round < TestRounds.Times(5); round++)
        {
            int acknowledged = await WriteAndKill(path, seed + round, random.Next(120));
            (int corruptions, _, string output) = QemuJudge.Check(path);
            Assert.True(corruptions == 0, $"QCOW2_TEST_SEED={seed}, round {round}: {output}");
            Assert.Empty(ImageAuditor.Audit(await File.ReadAllBytesAsync(path)).Corruptions);

            using Qcow2Image image = Qcow2Image.Open(path);
            byte[] found = DiskModel.ReadAll(image);
            AssertSurvived(found, content, new WriteSequence(seed + round, DiskLength), acknowledged);
            content = found;
        }
    }

    private static void AssertSurvived(byte[] found, byte[] before, WriteSequence sequence, int acknowledged)
    {
        byte[] version = [.. before];
        bool[] isKnown = new bool[DiskLength / SectorSize];
        for (int count = 0; ; count++)
        {
            (int from, int length) = (0, DiskLength);
            if (count > 0)
            {
                (int offset, byte[] data, _) = sequence.Next();
                data.CopyTo(version, offset);
                (from, length) = (offset, data.Length);
            }

            if (count < acknowledged)
            {
                continue;
            }

            if (count == acknowledged)
            {
                (from, length) = (0, DiskLength);
            }

            for (int sector = from / SectorSize; sector <= (from + length - 1) / SectorSize; sector++)
            {
                isKnown[sector] |= found.AsSpan(sector * SectorSize, SectorSize).SequenceEqual(version.AsSpan(sector * SectorSize, SectorSize));
            }

            if (!isKnown.Contains(false))
            {
                return;
            }

            // The writer cannot have been further ahead of its last flush.
            Assert.True(count < acknowledged + 200, $"Sector {Array.IndexOf(isKnown, false)} holds neither what was flushed nor what was written since.");
        }
    }

    /// <returns>The number of writes that were flushed for certain.</returns>
    private static async Task<int> WriteAndKill(string path, int seed, int milliseconds)
    {
        ProcessStartInfo start = CrashWriterProgram.Start(path, seed.ToString(CultureInfo.InvariantCulture));
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start)!;
        try
        {
            Assert.Equal("0", await process.StandardOutput.ReadLineAsync());
            await Task.Delay(milliseconds);
        }
        finally
        {
            process.Kill();
        }

        string[] lines = (await process.StandardOutput.ReadToEndAsync()).Split('\n');
        await process.WaitForExitAsync();

        // What follows the last line feed may be half a number.
        return lines.Length < 2 ? 0 : int.Parse(lines[^2], CultureInfo.InvariantCulture);
    }
}
