using System.Security.Cryptography;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats;

/// <summary>What tests of every format ask of a disk.</summary>
internal static class DiskAsserts
{
    /// <summary>Half a minute of zeros is not worth a sum.</summary>
    private const long MostToSum = 2L << 30;

    /// <summary>Each sample of a folder shows the disk whose sum the manifest gives.</summary>
    internal static void ShowsManifest(string folder, int atLeast, Func<BlockStorage, VirtualDisk> open)
    {
        int looked = 0;
        foreach (string line in File.ReadLines(Path.Combine(SampleFactAttribute.Folder!, "MANIFEST.md")).Where(line => line.StartsWith($"| {folder}/", StringComparison.Ordinal)))
        {
            string[] row = line.Split('|', StringSplitOptions.TrimEntries);
            if (row[5].Length != 64)
            {
                continue;
            }

            looked++;
            using VirtualDisk disk = open(new MemoryStorage(Samples.Read(row[1]), row[1]));
            Assert.Equal((row[1], row[4]), (row[1], $"{disk.Length}"));
            if (disk.Length <= MostToSum)
            {
                Assert.Equal((row[1], row[5]), (row[1], SumOf(disk)));
            }
            else
            {
                Assert.Equal(disk.Length, disk.GetExtents().Sum(extent => extent.Length));
            }
        }

        Assert.True(looked >= atLeast, $"{looked} samples of {folder}");
    }

    /// <summary>
    /// Changes bytes of a sound file at random: each result is a disk or an error, found without much memory. The long form: QCOW2_FUZZ_ROUNDS
    /// rounds.
    /// </summary>
    /// <returns>How many could be opened, of how many.</returns>
    internal static (int Opened, int Rounds) SurvivesChanges(byte[] sound, (int Start, int Length)[] places, Func<BlockStorage, VirtualDisk> open)
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : 500;
        int opened = 0;
        byte[] part = new byte[1 << 20];
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            byte[] file = [.. sound];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                (int start, int length) = places[random.Next(places.Length)];
                int at = start + random.Next(length);
                file[at] = random.Next(3) switch { 0 => 0xff, 1 => (byte)random.Next(256), _ => (byte)(file[at] ^ (1 << random.Next(8))) };
            }

            Array.Resize(ref file, random.Next(20) == 0 ? random.Next(file.Length) : file.Length);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using VirtualDisk disk = open(new MemoryStorage(file));
                opened++;
                for (long offset = 0; offset < Math.Min(disk.Length, 4L * part.Length); offset += part.Length)
                {
                    disk.Read(offset, part);
                }

                Assert.True(disk.GetExtents().Take(100).Any() || disk.Length == 0);
            }
            catch (Qcow2Exception)
            {
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        }

        return (opened, rounds);
    }

    private static string SumOf(VirtualDisk disk)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = new byte[4 << 20];
        byte[] zeros = new byte[piece.Length];
        foreach (DiskExtent extent in disk.GetExtents())
        {
            // Extents are what they say, and a disk of many GiB need not be read for its zeros.
            for (long offset = extent.Offset; offset < extent.End; offset += piece.Length)
            {
                int count = (int)Math.Min(piece.Length, extent.End - offset);
                if (extent.Kind == ExtentKind.Data)
                {
                    Assert.Equal(count, disk.Read(offset, piece.AsSpan(0, count)));
                }

                hash.AppendData(extent.Kind == ExtentKind.Data ? piece : zeros, 0, count);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
