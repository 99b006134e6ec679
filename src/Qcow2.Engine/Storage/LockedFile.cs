namespace Qcow2.Engine.Storage;

/// <summary>Opens a file and locks it, as one step as far as others can see.</summary>
internal static class LockedFile
{
    private const int Attempts = 10;

    /// <summary>Opens a file and takes locks on it.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="open">Opens what is there.</param>
    /// <param name="acquire">Takes the locks.</param>
    /// <remarks>
    /// Between the two another program may put another file there, or take this one away, and release its lock: this would then lock, and
    /// write, a file that has no name any more and is gone when it is closed. So the name is looked at after that, and followed again.
    /// </remarks>
    internal static LocalFile Open(string path, Func<LocalFile> open, Action<LocalFile> acquire)
    {
        for (int attempt = 1; ; attempt++)
        {
            LocalFile file = open();
            try
            {
                acquire(file);

                // Some hosts never say the same of a path and of the file that it leads to.
                if (attempt == Attempts || !ImageLock.IsAvailable || FileStatus.OfPath(path)?.Identity.IsProvenSameAs(file.Identity) == true)
                {
                    return file;
                }
            }
            catch
            {
                file.Dispose();
                throw;
            }

            file.Dispose();
        }
    }
}
