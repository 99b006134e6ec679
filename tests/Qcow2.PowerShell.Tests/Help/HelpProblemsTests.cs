using Qcow2.HelpGenerator;

namespace Qcow2.PowerShell.Tests.Help;

public sealed class HelpProblemsTests
{
    [Fact]
    public void Complete_help_has_none() => Assert.Empty(HelpProblems.Find([SampleHelp.Get, SampleHelp.Set]));

    [Fact]
    public void What_is_missing_is_named()
        => Assert.Equal(
            [
                "Clear-HelpSample: no synopsis. Give its class a <summary>.",
                "Clear-HelpSample: no description. Give its class <remarks>.",
                "Clear-HelpSample: no example. Give its class an <example> with <code>.",
                "Clear-HelpSample -Untold: no description. Give its property a <summary>.",
            ],
            HelpProblems.Find([SampleHelp.Clear]));
}
