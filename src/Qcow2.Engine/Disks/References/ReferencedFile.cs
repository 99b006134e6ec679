using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.References;

/// <summary>Opens a file because an image names it.</summary>
internal static class ReferencedFile
{
    /// <summary>Opens it, and says of what fails what the file is to the image.</summary>
    /// <param name="path">Full path of the file; the policy has allowed it.</param>
    /// <param name="role">What it is to the image, as a sentence goes on: "backing file".</param>
    /// <param name="code">The code of an error.</param>
    /// <param name="imagePath">The image.</param>
    /// <param name="open">Opens it.</param>
    /// <exception cref="Qcow2Exception">It could not be opened.</exception>
    internal static LocalFile Open(string path, string role, Qcow2ErrorCode code, string imagePath, Func<string, LocalFile> open)
    {
        try
        {
            return open(path);
        }
        catch (Exception e) when (e is not Qcow2Exception && e is IOException or UnauthorizedAccessException)
        {
            string reason = e is FileNotFoundException or DirectoryNotFoundException ? "it does not exist" : e.Message;
            throw new Qcow2Exception(code, $"The {role} {PrintableText.Of(path)} cannot be opened: {reason}.", e).At(imagePath);
        }
    }
}
