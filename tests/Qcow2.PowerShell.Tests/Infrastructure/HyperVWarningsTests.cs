using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>What is said of a new file that Hyper-V would not take.</summary>
public sealed class HyperVWarningsTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    public static TheoryData<DiskCreateOptions, bool> Layouts => new()
    {
        { new VhdCreateOptions(), true },
        { new VhdxCreateOptions { IsFixed = true }, true },
        { new VhdCreateOptions { AzureReady = true }, false },
        { new VdiCreateOptions(), false },
        { RawCreateOptions.Default, false },
    };

    [Theory, MemberData(nameof(Layouts))]
    public void Attributes_count_where_the_file_is_for_Hyper_V(DiskCreateOptions layout, bool isForHyperV)
    {
        const FileAttributes Attributes = FileAttributes.Archive | FileAttributes.Compressed | FileAttributes.SparseFile;
        string[] warnings = [.. HyperVWarnings.Of("disk", layout, 1 << 20, Attributes)];
        Assert.Equal(isForHyperV ? 2 : 0, warnings.Length);
        Assert.All(warnings, warning => Assert.StartsWith("disk: Hyper-V ", warning, StringComparison.Ordinal));
        Assert.Empty(HyperVWarnings.Of("disk", layout, 1 << 20, FileAttributes.Archive));
    }

    [Theory]
    [InlineData(2040, 0)]
    [InlineData(2041, 1)]
    public void Size_counts_that_only_Azure_takes(long gibibytes, int count)
    {
        var warnings = HyperVWarnings.Of("disk", new VhdCreateOptions { IsFixed = true }, gibibytes << 30, FileAttributes.Normal).ToList();
        Assert.Equal(count, warnings.Count);
        Assert.All(warnings, warning => Assert.Contains("Azure", warning, StringComparison.Ordinal));
        Assert.Empty(HyperVWarnings.Of("disk", VhdxCreateOptions.Default, gibibytes << 30, FileAttributes.Normal));
    }

    [Theory]
    [InlineData("New-Qcow2Image new.vhd 2041GB -Type Fixed")]
    [InlineData("Convert-Qcow2Image (New-Qcow2Image large.qcow2 2041GB).Path new.vhd -DestinationType Fixed")]
    public void Cmdlets_say_it(string command)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // There such a file takes its whole size.
        }

        SessionResult result = _session.Run(command);
        Assert.Empty(result.Errors);
        Assert.Contains("Azure", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }
}
