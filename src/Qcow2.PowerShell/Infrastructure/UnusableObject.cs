using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>An object that names an image in a way that must not be followed. It is an error when its turn comes, and the others go on.</summary>
/// <param name="path">The path that it names.</param>
/// <param name="problem">Why not.</param>
/// <param name="said">The object itself, for who only shows what it says; null where that is not known.</param>
/// <param name="computer">The computer that it came from; null for this one.</param>
internal sealed class UnusableObject(string path, Exception problem, Qcow2ImageObject? said = null, string? computer = null) : Qcow2ImageObject
{
    public override string Path { get; set; } = path;

    internal Exception Problem => problem;

    internal Qcow2ImageObject? Said => said;

    internal string? Computer => computer;
}
