using Qcow2.HelpGenerator;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Help;

public sealed class HelpFilesTests : IDisposable
{
    private readonly TempFolder _root = new();

    [Fact]
    public void What_was_written_does_not_differ()
    {
        IReadOnlyDictionary<string, string> files = HelpFiles.Make([SampleHelp.Get, SampleHelp.Set]);
        HelpFiles.Write(_root.Path, files);
        Assert.Empty(HelpFiles.Differences(_root.Path, files));
    }

    [Fact]
    public void Changed_missing_and_stale_files_are_named()
    {
        HelpFiles.Write(_root.Path, HelpFiles.Make([SampleHelp.Get]));
        Assert.Equal(
            [
                "docs/cmdlets/README.md: differs from the comments in the source.",
                "docs/cmdlets/Set-HelpSample.md: missing.",
                "src/Qcow2.PowerShell/Module/en-US/Qcow2.PowerShell.dll-Help.xml: differs from the comments in the source.",
                "docs/cmdlets/Get-HelpSample.md: there is no such cmdlet.",
            ],
            HelpFiles.Differences(_root.Path, HelpFiles.Make([SampleHelp.Set])));
    }

    [Fact]
    public void Stale_pages_are_deleted()
    {
        HelpFiles.Write(_root.Path, HelpFiles.Make([SampleHelp.Get]));
        HelpFiles.Write(_root.Path, HelpFiles.Make([SampleHelp.Set]));
        Assert.False(File.Exists(_root.File("docs/cmdlets/Get-HelpSample.md")));
        Assert.True(File.Exists(_root.File("docs/cmdlets/Set-HelpSample.md")));
    }

    public void Dispose() => _root.Dispose();
}
