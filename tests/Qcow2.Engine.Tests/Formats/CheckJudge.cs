using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats;

/// <summary>Runs checks of any format, and holds them against what a reader finds.</summary>
internal static class CheckJudge
{
    internal static Qcow2CheckResult Check(string format, byte[] file, bool untrusted = false, bool readData = false, int maxFindings = 1000)
        => Check(format, new MemoryStorage(file), untrusted, readData, maxFindings);

    internal static Qcow2CheckResult Check(string format, BlockStorage storage, bool untrusted = false, bool readData = false, int maxFindings = 1000)
        => DiskFormats.Get(format).Check(storage, new Qcow2CheckOptions { Untrusted = untrusted, ReadData = readData, MaxFindings = maxFindings });

    /// <summary>Fails unless nothing was found, not even information.</summary>
    internal static void AssertSound(Qcow2CheckResult result, string about = "")
        => Assert.True(result.IsHealthy && result.FindingCount == 0, $"{about}: {result}\n{string.Join("\n", result.Findings.Select(finding => $"{finding.Severity} {finding.Kind}: {finding.Message}"))}");

    /// <summary>Fails unless a finding is there; gives it.</summary>
    internal static Qcow2CheckFinding AssertFinds(Qcow2CheckResult result, Qcow2CheckFindingKind kind, Qcow2CheckSeverity severity, params string[] words)
    {
        Qcow2CheckFinding? found = result.Findings.FirstOrDefault(
            finding => finding.Kind == kind && finding.Severity == severity && words.All(word => finding.Message.Contains(word, StringComparison.Ordinal)));
        Assert.True(found is not null, $"No {severity} {kind} with '{string.Join("', '", words)}' in:\n{string.Join("\n", result.Findings.Select(finding => $"{finding.Severity} {finding.Kind}: {finding.Message}"))}");
        Assert.Equal(severity == Qcow2CheckSeverity.Information, result.IsHealthy);
        Assert.NotEqual("", found!.Table);
        return found;
    }

    /// <summary>
    /// A mutated file: whatever a check says is sound can be opened and read, and what a reader refuses is found, with the error that it has.
    /// </summary>
    /// <returns>Whether the file is sound.</returns>
    internal static bool AssertAgreesWithReader(string format, byte[] file, string about)
    {
        Qcow2CheckResult result;
        try
        {
            result = Check(format, file, readData: true);
            Assert.InRange(result.Findings.Length, 0, 1000);
            Assert.Equal(result.IsHealthy, Check(format, file, maxFindings: 0).IsHealthy && result.Findings.All(finding => finding.Kind != Qcow2CheckFindingKind.DataUnreadable));
        }
        catch (Qcow2Exception e)
        {
            Assert.Equal("memory", e.Path);
            Assert.Throws<Qcow2Exception>(() => DiskFormats.Get(format).Open(new MemoryStorage(file), new Qcow2OpenOptions { WithoutBacking = true }).Dispose());
            return false;
        }

        string? refusal = Refusal(format, file);
        bool isFound = result.Corruptions + result.CheckErrors + result.Findings.Count(finding => finding.Severity == Qcow2CheckSeverity.Warning) > 0;
        Assert.True(refusal is null || isFound, $"{about}: a reader says '{refusal}', and the check says {result}.");
        return result.IsHealthy;
    }

    /// <summary>Runs a check on mutations of a file.</summary>
    /// <param name="format">The format.</param>
    /// <param name="sound">The file.</param>
    /// <param name="rounds">How many, where QCOW2_FUZZ_ROUNDS does not say another number.</param>
    /// <param name="mutate">Changes a copy.</param>
    internal static void Fuzz(string format, byte[] sound, int rounds, Action<Random, byte[]> mutate)
    {
        rounds = int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int asked) ? asked : rounds;
        int healthy = 0;
        for (int seed = 0; seed < rounds; seed++)
        {
            byte[] file = [.. sound];
            mutate(new Random(seed), file);
            healthy += AssertAgreesWithReader(format, file, $"seed {seed}") ? 1 : 0;
        }

        Assert.InRange(healthy, 0, rounds * 9 / 10);
    }

    private static string? Refusal(string format, byte[] file)
    {
        try
        {
            using VirtualDisk disk = DiskFormats.Get(format).Open(new MemoryStorage(file), new Qcow2OpenOptions { WithoutBacking = true });
            byte[] piece = new byte[1 << 20];
            for (long offset = 0; offset < Math.Min(disk.Length, 16 << 20); offset += piece.Length)
            {
                disk.Read(offset, piece);
            }

            return null;
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.BackingFileUnavailable)
        {
            return null; // What is not in the file is the parent's.
        }
        catch (Qcow2Exception e)
        {
            return e.Message;
        }
    }
}
