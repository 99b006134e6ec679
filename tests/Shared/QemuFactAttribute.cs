namespace Qcow2.Tests;

/// <summary>A test that needs qemu-img and qemu-io: skipped, with the reason, where they are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class QemuFactAttribute : FactAttribute
{
    public QemuFactAttribute() => Skip = QemuImg.SkipReason;
}
