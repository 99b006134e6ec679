namespace Qcow2.Tests;

/// <summary>A test that mounts a file system of its own: it needs Linux and its superuser, and is skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SuperuserFactAttribute : FactAttribute
{
    public SuperuserFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
        {
            Skip = "It mounts a small file system, which needs Linux and root.";
        }
    }
}
