using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Reading;

/// <summary>Opens the files that an image refers to: its backing file and its external data file.</summary>
internal static class BackingFile
{
    /// <summary>Opens the backing file of an image, and with it the rest of the chain.</summary>
    /// <returns>Null if the image has none.</returns>
    /// <exception cref="Qcow2Exception">The file is missing, refused, or not usable as what it should be.</exception>
    internal static VirtualDisk? Open(Qcow2Header header, string imagePath, ChainContext chain)
    {
        if (header.BackingFile is not string name)
        {
            return null;
        }

        if (chain.Options.WithoutBacking)
        {
            return new UnopenedDisk(name, imagePath);
        }

        string path = ImageReference.Resolve(name, imagePath, "backing file", chain.Options.References);
        chain.RequireNew(LocalFile.TryIdentify(path), path, imagePath);
        (LocalFile file, BackingFormat format) = OpenNamed(name, header, imagePath, chain.Options, named => ImageFile.Open(named, chain.Options));
        try
        {
            ChainContext below = chain.Enter(file, imagePath);
            return format == BackingFormat.Raw ? RawDisk.Open(file) : Qcow2Image.Open(file, below);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens what is to be the backing file of an image, and with it the rest of that chain.</summary>
    /// <exception cref="Qcow2Exception">The file is missing, refused, not usable as what it should be, or layered on the image itself.</exception>
    internal static VirtualDisk Open(BackingReference reference, string imagePath, ChainContext chain)
    {
        string path = ImageReference.Resolve(reference.Name, imagePath, "backing file", chain.Options.References);
        chain.RequireNew(LocalFile.TryIdentify(path), path, imagePath);
        LocalFile file = OpenFile(path, "backing file", Qcow2ErrorCode.BackingFileUnavailable, imagePath, named => ImageFile.Open(named, chain.Options));
        try
        {
            ChainContext below = chain.Enter(file, imagePath);
            return reference.Format == "raw" ? RawDisk.Open(file) : Qcow2Image.Open(file, below);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens the backing file alone, taking no lock, for a look at its header. The image must have one.</summary>
    /// <exception cref="Qcow2Exception">The file is missing or refused, or its format is not known.</exception>
    internal static (LocalFile File, BackingFormat Format) OpenForInformation(Qcow2Header header, string imagePath, Qcow2OpenOptions options)
        => OpenNamed(header.BackingFile!, header, imagePath, options, ImageFile.OpenUnlocked);

    /// <summary>Opens what is to be the backing file of an image that does not exist yet.</summary>
    /// <exception cref="Qcow2Exception">The file is missing or not usable as what it should be.</exception>
    internal static VirtualDisk OpenForCreation(string name, string? format, string imagePath)
    {
        // Others may use a backing file at the same time, and do.
        var options = new Qcow2OpenOptions { ForceShare = true };
        string path = ImageReference.Resolve(name, imagePath, "backing file", options.References);
        LocalFile file = OpenFile(path, "backing file", Qcow2ErrorCode.BackingFileUnavailable, imagePath, ImageFile.OpenUnlocked);
        return format == "raw" ? RawDisk.Open(file) : Qcow2Image.Open(file, options);
    }

    /// <summary>Opens the external data file of an image.</summary>
    /// <param name="header">The image's header.</param>
    /// <param name="image">The image.</param>
    /// <param name="options">How the image is opened.</param>
    /// <param name="isWritable">Whether the data file is to be written, too.</param>
    /// <exception cref="Qcow2Exception">It is unnamed, missing or refused.</exception>
    internal static LocalFile OpenDataFile(Qcow2Header header, BlockStorage image, Qcow2OpenOptions options, bool isWritable)
    {
        string? path = options.DataFile;
        if (path is null)
        {
            string? name = header.Extension<DataFileNameExtension>()?.FileName;
            if (string.IsNullOrEmpty(name))
            {
                throw new Qcow2Exception(
                    Qcow2ErrorCode.DataFileUnavailable,
                    "The image keeps its data in an external file but does not name it.").At(image.Path);
            }

            path = ImageReference.Resolve(name!, image.Path, "external data file", options.References);
        }

        LocalFile file = OpenFile(
            path, "external data file", Qcow2ErrorCode.DataFileUnavailable, image.Path,
            named => isWritable ? ImageFile.OpenForWriting(named) : ImageFile.Open(named, options));
        if (file.Identity.IsProvenSameAs(image.Identity))
        {
            file.Dispose();
            throw Qcow2Errors.Corrupt("The image names itself as its external data file.").At(image.Path);
        }

        return file;
    }

    /// <summary>
    /// The format of the backing file, from the header or from the caller. It is never probed: whoever wrote into a raw
    /// disk could have planted another format's header there, and with it the name of any file of the host.
    /// </summary>
    private static BackingFormat FormatOf(Qcow2Header header, string imagePath, Qcow2OpenOptions options)
    {
        string? recorded = header.Extension<BackingFormatExtension>()?.Format;
        string? format = string.IsNullOrEmpty(recorded) ? options.BackingFormat : recorded;
        return format switch
        {
            null => throw new Qcow2Exception(
                Qcow2ErrorCode.BackingFormatMissing,
                $"The image does not record the format of its backing file '{FormatText.Printable(header.BackingFile!)}', and guessing it is not safe.").At(imagePath),
            "qcow2" => BackingFormat.Qcow2,
            "raw" => BackingFormat.Raw,
            _ => throw Qcow2Errors.Unsupported(
                $"The backing file's format is '{FormatText.Printable(format)}'; supported are qcow2 and raw.").At(imagePath),
        };
    }

    private static (LocalFile File, BackingFormat Format) OpenNamed(
        string name, Qcow2Header header, string imagePath, Qcow2OpenOptions options, Func<string, LocalFile> open)
    {
        string path = ImageReference.Resolve(name, imagePath, "backing file", options.References);
        BackingFormat format = FormatOf(header, imagePath, options);
        return (OpenFile(path, "backing file", Qcow2ErrorCode.BackingFileUnavailable, imagePath, open), format);
    }

    private static LocalFile OpenFile(string path, string role, Qcow2ErrorCode code, string imagePath, Func<string, LocalFile> open)
    {
        try
        {
            return open(path);
        }
        catch (Exception e) when (e is not Qcow2Exception && e is IOException or UnauthorizedAccessException)
        {
            string reason = e is FileNotFoundException or DirectoryNotFoundException ? "it does not exist" : e.Message;
            throw new Qcow2Exception(code, $"The {role} {FormatText.Printable(path)} cannot be opened: {reason}.", e).At(imagePath);
        }
    }
}

/// <summary>The formats that a backing file can have.</summary>
internal enum BackingFormat
{
    Qcow2,
    Raw,
}
