using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Our verdict on every damaged image beside that of qemu-img.</summary>
public sealed class CorruptionTableTests
{
    public static TheoryData<string> Names => [.. CorruptionCases.All.Select(made => made.Name)];

    [QemuTheory, MemberData(nameof(Names))]
    public void Verdict_is_that_of_qemu_img(string name)
    {
        CorruptionCase made = CorruptionCases.Get(name);
        using var folder = new TempFolder();
        string path = folder.Write("image.qcow2", made.Make().Bytes);
        folder.Write("data.raw", new byte[16 * 4096]);

        ProgramResult qemu = QemuImg.TryRunIn(folder.Path, ["check", "-f", "qcow2", "--output=json", path]);
        Qcow2CheckResult result = Qcow2Checker.Check(path);
        CheckNumbers ours = CheckNumbers.Of(result);

        if (made.Ours is (long corruptions, long leaks, long errors))
        {
            Assert.Equal((corruptions, leaks, errors), (ours.Corruptions, ours.Leaks, ours.CheckErrors));
            Assert.NotNull(made.Because);
            if (qemu.Output.TrimStart().StartsWith('{'))
            {
                using JsonDocument json = JsonDocument.Parse(qemu.Output);
                Assert.NotEqual(CheckNumbers.Of(json), ours);
            }
        }
        else if (qemu.Output.TrimStart().StartsWith('{'))
        {
            using JsonDocument json = JsonDocument.Parse(qemu.Output);
            Assert.True(CheckNumbers.Of(json) == ours, $"{CheckNumbers.Of(json)}\n{ours}\n{Start(qemu.Error)}");
        }
        else
        {
            // QEMU did not get as far as to count anything.
            Assert.True(!result.IsHealthy && result.Findings.Any(finding => finding.Severity >= Qcow2CheckSeverity.Warning), $"{ours}\n{Start(qemu.Error)}");
        }
    }

    private static string Start(string text) => text[..Math.Min(500, text.Length)];

    [Fact]
    public void Table_is_large_and_without_doubles()
    {
        Assert.True(CorruptionCases.All.Count >= 150);
        Assert.Equal(CorruptionCases.All.Count, CorruptionCases.All.Select(made => made.Name).Distinct().Count());
    }
}
