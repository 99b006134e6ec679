namespace Qcow2.Shell.Commands.Content;

/// <summary>The hash of a file.</summary>
/// <param name="Algorithm">Its name.</param>
/// <param name="Hash">Hexadecimal, in capitals.</param>
/// <param name="Path">The file.</param>
public sealed record FileHash(string Algorithm, string Hash, string Path);
