namespace Qcow2.Tests;

/// <summary>A theory that needs programs other than QEMU's: skipped, with the reason, where one is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ToolTheoryAttribute : TheoryAttribute
{
    /// <param name="programs">What it needs on the PATH.</param>
    public ToolTheoryAttribute(params string[] programs) => Skip = QemuImg.SkipReasonWithout(programs);
}
