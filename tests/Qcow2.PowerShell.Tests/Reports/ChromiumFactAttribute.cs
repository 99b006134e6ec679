namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>A test that needs a real browser: skipped, with the reason, where Chromium is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumFactAttribute : FactAttribute
{
    public ChromiumFactAttribute() => Skip = Chromium.SkipReason;
}
