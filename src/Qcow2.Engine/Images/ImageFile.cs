using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Opens the files that disks are made of, with the locks that the options ask for.</summary>
internal static class ImageFile
{
    internal static LocalFile Open(string path, Qcow2OpenOptions options)
        => Open(LocalFile.OpenRead(path), options, ImageLock.AcquireForReading);

    internal static LocalFile OpenForWriting(string path, Qcow2OpenOptions options)
        => Open(LocalFile.OpenReadWrite(path), options, ImageLock.AcquireForWriting);

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
