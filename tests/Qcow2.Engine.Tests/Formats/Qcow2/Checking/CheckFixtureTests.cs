using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>The check of every sound fixture gives the numbers that qemu-img gave when the fixture was made.</summary>
public sealed class CheckFixtureTests
{
    public static TheoryData<string> Checked => Fixtures.Select(fixture => fixture.HasMap);

    [Theory, MemberData(nameof(Checked))]
    public void Numbers_are_those_of_qemu_img(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using JsonDocument expected = fixture.ReadCheck();

        Qcow2CheckResult result = Qcow2Checker.Check(fixture.Path);

        Assert.Equal(CheckNumbers.Of(expected), CheckNumbers.Of(result));
        Assert.Equal(fixture.Path, result.Path);
        Assert.Equal(result.Corruptions + result.Leaks + result.CheckErrors > 0, result.Findings.Any(finding => finding.Severity >= Qcow2CheckSeverity.Leak));
    }

    [Theory, MemberData(nameof(Checked))]
    public void Numbers_do_not_depend_on_the_threads(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        Qcow2CheckResult one = Qcow2Checker.Check(fixture.Path, new Qcow2CheckOptions { ThrottleLimit = 1 });
        Qcow2CheckResult many = Qcow2Checker.Check(fixture.Path, new Qcow2CheckOptions { ThrottleLimit = 5 });
        Assert.Equal(CheckNumbers.Of(one), CheckNumbers.Of(many));
        Assert.Equal(one.Findings.Select(finding => finding.Message), many.Findings.Select(finding => finding.Message));
    }
}
