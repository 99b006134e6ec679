namespace Qcow2.Tests;

/// <summary>A test that mounts a file system of its own: it needs Linux and its superuser, and is skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SuperuserFactAttribute : FactAttribute
{
    /// <param name="programs">What else it needs on the PATH.</param>
    public SuperuserFactAttribute(params string[] programs)
        => Skip = !OperatingSystem.IsLinux() || Environment.UserName != "root"
            ? "It mounts a small file system, which needs Linux and root."
            : QemuImg.SkipReasonWithout(programs);
}
