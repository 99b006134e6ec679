namespace Qcow2.Tests;

/// <summary>A theory that needs qemu-img and qemu-io: skipped, with the reason, where they are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class QemuTheoryAttribute : TheoryAttribute
{
    public QemuTheoryAttribute() => Skip = QemuImg.SkipReason;
}
