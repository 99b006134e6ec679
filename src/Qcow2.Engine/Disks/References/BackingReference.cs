namespace Qcow2.Engine.Disks.References;

/// <summary>What an image's header says of its backing file.</summary>
/// <param name="Name">The file's name, as stored: relative to the image's folder, or absolute.</param>
/// <param name="Format">The file's format, as stored: <c>qcow2</c> or <c>raw</c>.</param>
internal sealed record BackingReference(string Name, string Format);
