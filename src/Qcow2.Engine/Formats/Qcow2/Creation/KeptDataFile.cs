using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Creation;

/// <summary>
/// A file that exists and becomes the external data file of a new image as it is. It is open for reading only, so that nothing here can change it,
/// and locked as if it were written: whoever else writes it would change a disk that is just being described.
/// </summary>
internal sealed class KeptDataFile : IDisposable
{
    private readonly LocalFile _file;
    private readonly long _length;

    private KeptDataFile(LocalFile file)
    {
        _file = file;
        _length = file.Length;
        Storage = new BorrowedStorage(file);
    }

    /// <summary>The file's bytes, which cannot be written.</summary>
    internal BlockStorage Storage { get; }

    /// <summary>Takes hold of the file that the options name.</summary>
    /// <param name="imagePath">Full path of the image that is made.</param>
    /// <param name="options">The layout.</param>
    /// <exception cref="ArgumentException">The options would hide or overwrite what the file holds, or the file is the image itself.</exception>
    /// <exception cref="Qcow2Exception">The file does not exist, cannot be opened, or is in use.</exception>
    internal static KeptDataFile Open(string imagePath, Qcow2CreateOptions options)
    {
        Check(options);
        string path = PathOf(imagePath, options);
        LocalFile file = ReferencedFile.Open(path, "external data file", Qcow2ErrorCode.DataFileUnavailable, imagePath, ImageFile.OpenHeld);
        try
        {
            return LocalFile.TryIdentify(imagePath)?.IsProvenSameAs(file.Identity) == true
                ? throw new ArgumentException("An image cannot be its own external data file, and this one's name is another name of that file.", nameof(options))
                : new KeptDataFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Refuses options by which the disk would not be what the file holds, or the file would not stay as it is.</summary>
    /// <exception cref="ArgumentException">They are such.</exception>
    internal static void Check(Qcow2CreateOptions options)
    {
        if (!options.KeepDataFile)
        {
            return;
        }

        string? problem = options switch
        {
            { DataFile: null } => "There is no external data file that could be kept; name one.",
            { Preallocation: Preallocation.Falloc or Preallocation.Full } => "Space is reserved in an external data file by writing to it; one that is kept can only have its tables made in advance (metadata).",
            { BackingFile: not null } => "The disk of an external data file that is kept is what that file holds, so that there can be no backing file below it.",
            { Encryption: not EncryptionMethod.None } => "What is in an external data file that is kept was not encrypted for this image and would be noise; a new image over it is not encrypted.",
            { DataFileRaw: false, Preallocation: Preallocation.Off } =>
                "Without tables a guest does not see what an external data file holds: one that is kept has to be raw, or its tables preallocated (metadata).",
            _ => null,
        };
        if (problem is not null)
        {
            throw new ArgumentException(problem, nameof(options));
        }
    }

    /// <summary>Full path of the external data file that the options name.</summary>
    /// <exception cref="ArgumentException">That is no path, or the image's own.</exception>
    internal static string PathOf(string imagePath, Qcow2CreateOptions options)
    {
        string path = ImageReference.TryResolve(options.DataFile!, imagePath)
            ?? throw new ArgumentException($"'{PrintableText.Of(options.DataFile!)}' is not the path of a local file.", nameof(options));
        return string.Equals(Destination.At(path).Key, Destination.At(imagePath).Key, StringComparison.OrdinalIgnoreCase)
            ? throw new ArgumentException(
                "An image cannot be its own external data file. Names that differ only in upper and lower case are one file to many file systems.", nameof(options))
            : path;
    }

    /// <summary>The size of the disk: the file's, which nothing is added to or hidden of.</summary>
    /// <param name="asked">The size that was asked for; null to take the file's.</param>
    /// <exception cref="ArgumentException">They differ by more than what whole sectors need.</exception>
    internal long SizeFor(long? asked)
        => asked is not long size || DiskSize.RoundUp(size) == DiskSize.RoundUp(_length)
            ? _length
            : throw new ArgumentException(
                $"The external data file {PrintableText.Of(_file.Path)} has {_length} bytes, and a disk of {size} was asked for: it would {(size < _length ? "hide a part of what the file holds" : "have to be lengthened")}. "
                + "Leave the size out to take the file's; the image can be resized when it is made.", nameof(asked));

    /// <summary>Makes sure that the file is still what the image is about to be made for.</summary>
    /// <exception cref="IOException">Another file has its name by now, or somebody who heeds no lock has changed its length.</exception>
    internal void EnsureUnchanged()
    {
        if (LocalFile.TryIdentify(_file.Path)?.SamenessTo(_file.Identity) is not (FileSameness.Same or FileSameness.Unknown) || _file.Length != _length)
        {
            throw new IOException($"{_file.Path}: another program has changed this file, or put another one there, while an image was made for it. The image was not made.");
        }
    }

    /// <summary>Lets go of the file.</summary>
    public void Dispose() => _file.Dispose();
}
