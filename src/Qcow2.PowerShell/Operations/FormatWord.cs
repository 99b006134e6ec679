using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>
/// Holds somebody's word on the format of a file against what the file begins as. A guest can write any beginning to its raw disk, so that
/// the word counts; but more often it is a mistake, and a disk that shows an image's bytes is of no use to anybody.
/// </summary>
internal static class FormatWord
{
    /// <summary>What speaks against the word.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="format">The name of the format that it is said to have.</param>
    /// <returns>What the file is, as a sentence goes on; null if nothing speaks against it, or the file cannot be looked at.</returns>
    internal static string? Contradiction(string path, string? format)
    {
        try
        {
            FormatRecognition seen = DiskFormats.Recognize(path);
            string? looks = seen.Mark is DiskFormat mark ? mark.Appearance : seen.Signature is FileSignature kind ? $"looks like {kind.Description}" : null;
            if (format == DiskFormats.Raw.Name)
            {
                return seen.Mark is not null || seen.Signature is { Nature: FileNature.DiskImage or FileNature.Compressed or FileNature.Archive } ? looks : null;
            }

            return DiskFormats.Find(format) is not DiskFormat said || seen.Mark == said ? null : looks ?? $"is not marked as {said.Description} is";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
