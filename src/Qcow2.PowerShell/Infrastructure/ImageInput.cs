using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>One image that a cmdlet was given.</summary>
/// <param name="Location">Where its bytes come from.</param>
/// <param name="Object">The object that named it; null when a path did.</param>
internal sealed record ImageInput(ImageLocation Location, Qcow2ImageObject? Object = null)
{
    /// <summary>An image that is a file of this machine.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="source">The object that named it; null when a path did.</param>
    internal ImageInput(string path, Qcow2ImageObject? source = null)
        : this(new LocalImage(path), source)
    {
    }

    /// <summary>Full path of the file, or how people call what is no file of this machine.</summary>
    internal string Path => Location.Name;
}
