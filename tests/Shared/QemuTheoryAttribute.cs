namespace Qcow2.Tests;

/// <summary>A theory that needs qemu-img and qemu-io: skipped, with the reason, where they are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class QemuTheoryAttribute : TheoryAttribute
{
    /// <param name="programs">What else it needs on the PATH.</param>
    public QemuTheoryAttribute(params string[] programs) => Skip = QemuImg.SkipReason ?? QemuImg.SkipReasonWithout(programs);
}
