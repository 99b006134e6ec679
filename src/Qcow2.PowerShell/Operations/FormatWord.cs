using Qcow2.Engine;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Operations;

/// <summary>
/// Holds somebody's word on the format of a file against what the file begins as. A guest can write any beginning to its raw disk, so that
/// the word counts; but more often it is a mistake, and a disk that shows an image's bytes is of no use to anybody.
/// </summary>
internal static class FormatWord
{
    /// <summary>Whether a file begins as a qcow2 image does.</summary>
    internal static bool BeginsAsQcow2(BlockStorage file)
    {
        byte[] start = new byte[4];
        return file.Read(0, start) == start.Length && start.AsSpan().SequenceEqual(new byte[] { 0x51, 0x46, 0x49, 0xfb });
    }

    /// <summary>What speaks against the word.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="format">What it is said to be: <c>qcow2</c> or <c>raw</c>.</param>
    /// <returns>What the file is, as a sentence goes on; null if nothing speaks against it, or the file cannot be looked at.</returns>
    internal static string? Contradiction(string path, string? format)
    {
        try
        {
            using LocalFile file = LocalFile.OpenRead(path);
            bool isQcow2 = BeginsAsQcow2(file);
            FileSignature? kind = isQcow2 ? null : FileSignatures.Of(file);
            return format switch
            {
                "raw" when isQcow2 => "begins as a qcow2 image does",
                "raw" when kind is { Nature: FileNature.DiskImage or FileNature.Compressed or FileNature.Archive } => $"looks like {kind.Description}",
                "qcow2" when !isQcow2 => kind is null ? "does not begin as a qcow2 image does" : $"looks like {kind.Description}",
                _ => null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
