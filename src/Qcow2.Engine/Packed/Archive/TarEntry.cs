namespace Qcow2.Engine.Packed.Archive;

/// <summary>A file in a tar archive.</summary>
/// <param name="Name">Its name, as the archive says it: any text whatever, which is compared and shown, and never a path.</param>
/// <param name="Offset">Where its bytes begin in the archive.</param>
/// <param name="Length">How many there are.</param>
/// <param name="Problem">Why it cannot be read, as a sentence ends; null if it can.</param>
internal sealed record TarEntry(string Name, long Offset, long Length, string? Problem);
