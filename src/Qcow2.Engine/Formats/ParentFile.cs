using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats;

/// <summary>Opens the file that an image is layered on, which may be of any format, and with it the rest of the chain.</summary>
internal static class ParentFile
{
    private const string Role = "backing file";

    /// <summary>Opens the file.</summary>
    /// <param name="name">Its name, as stored.</param>
    /// <param name="format">The format that the image records; null where it records none.</param>
    /// <param name="imagePath">The image that names it.</param>
    /// <param name="chain">The chain down to the image.</param>
    /// <exception cref="Qcow2Exception">The file is missing, refused, not usable as what it should be, or part of the chain already.</exception>
    internal static VirtualDisk Open(string name, string? format, string imagePath, ChainContext chain)
    {
        string path = ImageReference.Resolve(name, imagePath, Role, chain.Options.References);
        chain.RequireNew(LocalFile.TryIdentify(path), path, imagePath);
        DiskFormat known = FormatOf(name, format, imagePath, chain.Options);
        LocalFile file = Open(path, imagePath, named => ImageFile.Open(named, chain.Options));
        try
        {
            ChainContext below = chain.Enter(file, imagePath);
            return As(known, file, imagePath, () => known.Open(file, below));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens the file alone, taking no lock, for a look at its header.</summary>
    /// <exception cref="Qcow2Exception">The file is missing or refused, or its format is not known.</exception>
    internal static (LocalFile File, DiskFormat Format) OpenForInformation(string name, string? format, string imagePath, Qcow2OpenOptions options)
    {
        string path = ImageReference.Resolve(name, imagePath, Role, options.References);
        DiskFormat known = FormatOf(name, format, imagePath, options);
        return (Open(path, imagePath, ImageFile.OpenUnlocked), known);
    }

    /// <summary>Opens what an image that does not exist yet is to be layered on.</summary>
    /// <param name="name">Its name, as it will be stored.</param>
    /// <param name="format">Its format.</param>
    /// <param name="imagePath">The image that will name it.</param>
    /// <param name="passphrases">Has the passphrases of the chain, by path; null where no data is read.</param>
    /// <param name="parentPaths">Files among which a parent is that its child does not name; null for none.</param>
    /// <exception cref="Qcow2Exception">The file is missing or not usable as what it should be.</exception>
    internal static VirtualDisk OpenForCreation(
        string name, string? format, string imagePath, Func<string, Passphrase?>? passphrases = null, IReadOnlyList<string>? parentPaths = null)
    {
        // Others may use a backing file at the same time, and do.
        return OpenForCreation(name, format, imagePath, new Qcow2OpenOptions { ForceShare = true, BackingPassphrases = passphrases, ParentPaths = parentPaths ?? [] });
    }

    /// <summary>
    /// The size of the disk that an image which does not exist yet is to be layered on, all of whose chain must be there. What does not say where its parent is (VDI) is looked at
    /// alone: that is said whenever the image is read, and can change until then.
    /// </summary>
    /// <param name="name">Its name, as it will be stored.</param>
    /// <param name="format">Its format.</param>
    /// <param name="imagePath">The image that will name it.</param>
    /// <exception cref="Qcow2Exception">The file is missing or not usable as what it should be.</exception>
    internal static long LengthForCreation(string name, string? format, string imagePath)
    {
        var options = new Qcow2OpenOptions { ForceShare = true };
        try
        {
            using VirtualDisk disk = OpenForCreation(name, format, imagePath, options);
            return disk.Length;
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ParentNotNamed)
        {
            using VirtualDisk alone = OpenForCreation(name, format, imagePath, options with { WithoutBacking = true });
            return alone.Length;
        }
    }

    private static VirtualDisk OpenForCreation(string name, string? format, string imagePath, Qcow2OpenOptions options)
    {
        (LocalFile file, DiskFormat known) = OpenForInformation(name, format, imagePath, options);
        try
        {
            return known.Open(file, ChainContext.Begin(file, options.Below(file.Path)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The format, from the image or from the caller. It is never probed: whoever wrote into a raw disk could have planted another format's header
    /// there, and with it the name of any file of the host.
    /// </summary>
    /// <summary>Reads a backing file as what it is recorded to be. That it is something else is not its fault, and the word of another file.</summary>
    internal static T As<T>(DiskFormat recorded, BlockStorage file, string imagePath, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Qcow2Exception e) when (e.Code is Qcow2ErrorCode.NotQcow2 or Qcow2ErrorCode.FormatMismatch && (e.Path is null || e.Path == file.Path) && e.InnerException is not Qcow2Exception)
        {
            string found = FileSignatures.Of(file) is FileSignature kind ? $"it is {kind.Description}" : "it does not begin as such a file does";
            throw new Qcow2Exception(
                e.Code,
                $"The backing file {file.Path} is recorded as '{recorded.Name}', but {found}. If it is the right file, its format is to be recorded: of a qcow2 image by Set-Qcow2Image -MetadataOnly, with -BackingFile and -BackingFormat.",
                e).At(imagePath);
        }
    }

    private static DiskFormat FormatOf(string name, string? recorded, string imagePath, Qcow2OpenOptions options)
    {
        string format = (string.IsNullOrEmpty(recorded) ? options.BackingFormat : recorded) ?? throw new Qcow2Exception(
            Qcow2ErrorCode.BackingFormatMissing,
            $"The image does not record the format of its backing file '{PrintableText.Of(name)}', and guessing it is not safe.").At(imagePath);
        return DiskFormats.All.FirstOrDefault(known => known.Name == format || known.RecordedName == format) ?? throw Qcow2Errors.Unsupported(
            $"The backing file's format is '{PrintableText.Of(format)}'; supported are {DiskFormats.Names}.").At(imagePath);
    }

    private static LocalFile Open(string path, string imagePath, Func<string, LocalFile> open)
        => ReferencedFile.Open(path, Role, Qcow2ErrorCode.BackingFileUnavailable, imagePath, open);
}
