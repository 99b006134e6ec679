namespace Qcow2.Engine.Tests;

/// <summary>A test of what only Linux has, with programs of its own; skipped where one of them is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute(params string[] programs)
    {
        if (!OperatingSystem.IsLinux() || !Shell.Has(programs))
        {
            Skip = $"It needs Linux{string.Concat(programs.Select(program => $", {program}"))}.";
        }
    }
}

/// <summary>A test over several cases of what Linux and macOS have.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class UnixTheoryAttribute : TheoryAttribute
{
    public UnixTheoryAttribute()
    {
        if (OperatingSystem.IsWindows())
        {
            Skip = "It needs pipes, sockets and device nodes in folders.";
        }
    }
}

/// <summary>A test with devices, file systems and mounts of its own, for which it must be root.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LoopDeviceFactAttribute : FactAttribute
{
    public LoopDeviceFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !File.Exists("/dev/loop-control") || !Shell.Has("losetup", "mkfs.ext4", "mount", "umount"))
        {
            Skip = "It needs Linux, root, loop devices and mkfs.ext4.";
        }
    }
}
