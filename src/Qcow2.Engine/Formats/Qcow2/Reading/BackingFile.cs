using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
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

        return chain.Options.WithoutBacking
            ? new UnopenedDisk(name, imagePath)
            : ParentFile.Open(name, header.Extension<BackingFormatExtension>()?.Format, imagePath, chain);
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

        LocalFile file = ReferencedFile.Open(
            path, "external data file", Qcow2ErrorCode.DataFileUnavailable, image.Path,
            named => isWritable ? ImageFile.OpenForWriting(named) : ImageFile.Open(named, options));
        if (file.Identity.IsProvenSameAs(image.Identity))
        {
            file.Dispose();
            throw Qcow2Errors.Corrupt("The image names itself as its external data file.").At(image.Path);
        }

        return file;
    }
}
