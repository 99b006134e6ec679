using Qcow2.Engine;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>One image that a cmdlet was given.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Object">The object that named it; null when a path did.</param>
internal sealed record ImageInput(string Path, Qcow2ImageObject? Object = null);
