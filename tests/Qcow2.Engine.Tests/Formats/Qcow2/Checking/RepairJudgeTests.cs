using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>A repair makes nothing worse: judged by qemu-img's numbers, and by random writes afterwards, ours and qemu-io's.</summary>
public sealed class RepairJudgeTests
{
    public static TheoryData<string> Names => [.. CorruptionCases.All.Select(made => made.Name)];

    [QemuTheory, MemberData(nameof(Names))]
    public void Repaired_image_is_no_worse_and_keeps_what_is_not_written(string name)
    {
        using var judge = new RepairJudge(TestRounds.Seed(name));
        Qcow2CheckResult? result = judge.Judge(CorruptionCases.Get(name).Make().Bytes);
        Assert.True(!judge.WasRefused || result?.IsHealthy == false, "A write to a healthy image was refused.");
    }

    [QemuFact]
    public void Repaired_mutations_are_no_worse_and_keep_what_is_not_written()
    {
        int seed = TestRounds.Seed("judge");
        int judged = 0;
        for (int i = 0; i < TestRounds.Times(60); i++)
        {
            try
            {
                using RepairJudge judge = new RepairJudge(seed + i).WithNeighbours();
                judged += judge.Judge(new ImageMutator(seed + i).Next()) is null ? 0 : 1;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"QCOW2_TEST_SEED={seed + i} shows it.", e);
            }
        }

        Assert.True(judged > 10, $"{judged} judged.");
    }
}
