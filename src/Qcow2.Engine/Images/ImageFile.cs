using Qcow2.Engine.Polyfills;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Opens the files that disks are made of, with the locks that the options ask for.</summary>
internal static class ImageFile
{
    internal static LocalFile Open(string path, Qcow2OpenOptions options)
        => Open(OpenFile(path, FileAccess.Read, options, ImageLock.ReadingRefused), options, ImageLock.AcquireForReading);

    internal static LocalFile OpenForWriting(string path, Qcow2OpenOptions options)
        => Open(OpenFile(path, FileAccess.ReadWrite, options, ImageLock.WritingRefused), options, ImageLock.AcquireForWriting);

    private static LocalFile OpenFile(string path, FileAccess access, Qcow2OpenOptions options, string refusal)
    {
        try
        {
            return LocalFile.Open(path, access, ImageSharing.ModeFor(access, options.ForceShare, OperatingSystemInfo.IsWindows));
        }
        catch (IOException e) when (ImageSharing.IsConflict(e, OperatingSystemInfo.IsWindows))
        {
            throw new Qcow2Exception(Qcow2ErrorCode.ImageLocked, refusal, e).At(System.IO.Path.GetFullPath(path));
        }
    }

    private static LocalFile Open(LocalFile file, Qcow2OpenOptions options, Action<LocalFile> acquireLocks)
    {
        try
        {
            if (!options.ForceShare)
            {
                acquireLocks(file);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
