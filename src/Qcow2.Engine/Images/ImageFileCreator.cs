using Qcow2.Engine.Codecs;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Creates the files of a new image: the image and, where asked for, its external data file.</summary>
internal static class ImageFileCreator
{
    internal static void Create(string path, long? size, Qcow2CreateOptions options, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        long diskSize = SizeOf(fullPath, size, options);
        using var image = ReplacementFile.Create(fullPath, overwrite);
        using ReplacementFile? data = CreateDataFile(fullPath, diskSize, options, overwrite);
        using (SectorCipher? cipher = ImageCreator.Create(image.Storage, diskSize, options, cancellationToken))
        {
            if (options.Preallocation != Preallocation.Off || options.DataFileRaw)
            {
                using var disk = Qcow2Image.OpenBorrowed(image.Storage, data?.Storage, cipher);
                disk.Preallocate(options.Preallocation, progress, cancellationToken);
            }
        }

        image.Storage.Flush();
        data?.Storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        data?.Commit();
        image.Commit();
    }

    private static long SizeOf(string path, long? size, Qcow2CreateOptions options)
    {
        if (options.BackingFile is null)
        {
            return size ?? throw new ArgumentException("A disk without a backing file needs a size.", nameof(size));
        }

        if (!options.CheckBackingFile)
        {
            return size ?? throw new ArgumentException("The backing file is not looked at, so a size is needed.", nameof(size));
        }

        using VirtualDisk backing = BackingFile.OpenForCreation(options.BackingFile, options.BackingFormat, path);
        return size ?? backing.Length;
    }

    private static ReplacementFile? CreateDataFile(string imagePath, long size, Qcow2CreateOptions options, bool overwrite)
    {
        if (options.DataFile is null)
        {
            return null;
        }

        string path = ImageReference.TryResolve(options.DataFile, imagePath)
            ?? throw new ArgumentException($"'{options.DataFile}' is not the path of a local file.", nameof(options));
        if (string.Equals(path, imagePath, StringComparison.Ordinal))
        {
            throw new ArgumentException("An image cannot be its own external data file.", nameof(options));
        }

        var file = ReplacementFile.Create(path, overwrite);
        file.Storage.SetLength(size);
        return file;
    }
}
