using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Opens the files that disks are made of, with the locks that the options ask for.</summary>
internal static class ImageFile
{
    internal static LocalFile Open(string path, Qcow2OpenOptions options)
    {
        LocalFile file = LocalFile.OpenRead(path);
        try
        {
            if (!options.ForceShare)
            {
                ImageLock.AcquireForReading(file);
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
