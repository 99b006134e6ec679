namespace Qcow2.Engine.Tests;

/// <summary>A test of what only Windows has, or Wine in its place.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class WindowsFactAttribute : FactAttribute
{
    public WindowsFactAttribute()
    {
        if (!OperatingSystem.IsWindows())
        {
            Skip = "It needs Windows.";
        }
    }
}

/// <summary>A test over several cases of what only Windows has.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class WindowsTheoryAttribute : TheoryAttribute
{
    public WindowsTheoryAttribute()
    {
        if (!OperatingSystem.IsWindows())
        {
            Skip = "It needs Windows.";
        }
    }
}
