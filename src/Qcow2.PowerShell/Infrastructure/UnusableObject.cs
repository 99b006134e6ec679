using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>An object that names an image in a way that must not be followed. It is an error when its turn comes, and the others go on.</summary>
/// <param name="path">The path that it names.</param>
/// <param name="problem">Why not.</param>
internal sealed class UnusableObject(string path, ImageCmdletException problem) : Qcow2ImageObject
{
    public override string Path { get; set; } = path;

    internal ImageCmdletException Problem => problem;
}
