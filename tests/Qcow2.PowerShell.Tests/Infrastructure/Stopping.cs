using System.Diagnostics;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>
/// What "at once" is in a test: longer than the busiest machine takes to end what it is told to end, and far shorter than the work would go on.
/// </summary>
internal static class Stopping
{
    internal static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(20);

    /// <summary>Presses Ctrl-C.</summary>
    internal static void StopAtOnce(this PowerShellPipeline shell)
    {
        var watch = Stopwatch.StartNew();
        shell.Stop();
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, AtOnce);
    }
}
