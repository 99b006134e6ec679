using System.Management.Automation;
using System.Text.RegularExpressions;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>A disk to read: an image of any format, or one of its snapshots.</summary>
/// <param name="Location">Where its bytes come from.</param>
/// <param name="Format">What it is.</param>
/// <param name="Options">How to open it.</param>
/// <param name="Snapshot">The snapshot that is meant; null for the active disk.</param>
internal sealed record DiskSource(ImageLocation Location, DiskFormat Format, Qcow2OpenOptions Options, SnapshotSelector? Snapshot)
{
    /// <summary>Full path of the file, or how people call what is no file of this machine.</summary>
    internal string Path => Location.Name;

    /// <summary>The disk that a cmdlet was given.</summary>
    /// <param name="input">The file, and the object that named it.</param>
    /// <param name="format">What the user says it is; null for nothing.</param>
    /// <param name="options">How to open it.</param>
    /// <param name="snapshot">The snapshot that is meant; null for the active disk.</param>
    /// <param name="parameter">The parameter that says the format, with its dash.</param>
    internal static DiskSource Of(
        ImageInput input, DiskImageFormat? format, Qcow2OpenOptions options, SnapshotSelector? snapshot, string parameter = "-SourceFormat")
    {
        var source = new DiskSource(input.Location, FormatOf(input, format, parameter), options, snapshot);
        return source.Format.HasSnapshots || snapshot is null
            ? source
            : throw ImageCmdletException.NotPossible($"{input.Path}: {source.Format.Description} has no snapshots.");
    }

    /// <summary>Decides what a file is, by the user's word, by the object that named it, or by what it holds and its name.</summary>
    /// <param name="input">The file, and the object that named it.</param>
    /// <param name="format">What the user says it is; null for nothing.</param>
    /// <param name="parameter">The parameter that says it, with its dash.</param>
    internal static DiskFormat FormatOf(ImageInput input, DiskImageFormat? format, string parameter = "-SourceFormat")
    {
        DiskFormat? known = format?.Known() ?? input.Object switch
        {
            null or Qcow2CompareResult or Qcow2MeasureResult or Qcow2CheckResult or Qcow2Extent or Qcow2Partition or Qcow2ImagePicture => null, // These are said of disks of any format.
            Qcow2ImageInfo info => DiskFormats.Find(info.Format), // None where it lost that property on its way.
            _ => DiskImageFormat.Qcow2.Known(),
        };
        return FormatOf(input.Location, known, parameter);
    }

    /// <summary>Decides what a file is. A raw disk can look like any format, because its guest writes all of it.</summary>
    /// <param name="location">Where its bytes come from.</param>
    /// <param name="format">What the user says it is; null for nothing.</param>
    /// <param name="parameter">The parameter that says it, with its dash.</param>
    internal static DiskFormat FormatOf(ImageLocation location, DiskFormat? format, string parameter)
    {
        if (format is not null)
        {
            return format;
        }

        string path = location.Name;
        FormatRecognition seen = location.Recognize();
        return seen switch
        {
            { Format: DiskFormat known } => known,
            { Mark: DiskFormat mark } => throw Ambiguous(
                $"{path}: the name is that of a raw disk, but the file {mark.Appearance}. The guest of a raw disk can write that there, and with it the name "
                + $"of any file of this machine. Say what it is: {parameter} Raw, or {parameter} {DiskImageFormats.Of(mark)} if you trust it."),
            { IsCalledRaw: true, Signature: FileSignature kind } => throw Ambiguous(
                $"{path}: the name is that of a raw disk, but this looks like something else: {kind.Description}. {kind.Advice} "
                + $"If it is a raw disk all the same, say {parameter} Raw."),
            _ => throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2, seen.Signature switch
            {
                null when IsCalledExtent(path) => $"{path}: by its name this holds data of a VMDK disk and says nothing of it; name the descriptor, the small file beside it. "
                    + $"If it is the whole disk, say {parameter} Raw.",
                null => $"{path}: this is not a qcow2 image, and its name does not say that it is a raw disk. If it is one, say {parameter} Raw.",
                { ContradictsRaw: true } kind => $"{path}: this is not a qcow2 image, but {kind.Description}. {kind.Advice} Only if it is a raw disk all the same, say {parameter} Raw.",
                FileSignature kind => $"{path}: this is not a qcow2 image, but {kind.Description}; its name does not say that it is to be read as raw. If it is, say {parameter} Raw.",
            }),
        };
    }

    /// <summary>Opens the disk.</summary>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <param name="held">Files that are held already, because they are deleted afterwards; null for none.</param>
    internal OpenedDisk Open(CancellationToken cancellationToken, HeldFiles? held = null)
        => Open(Options with { L2CacheSize = Qcow2OpenOptions.Sequential.L2CacheSize }, Location.LocalPath is string path ? held?.TryOpenRead(path) : null, cancellationToken);

    /// <summary>Opens the disk to be read, or written, in no order.</summary>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    internal OpenedDisk OpenForRandomAccess(CancellationToken cancellationToken) => Open(Options, null, cancellationToken);

    private OpenedDisk Open(Qcow2OpenOptions how, LocalFile? file, CancellationToken cancellationToken)
    {
        VirtualDisk disk = file is null ? Location.Open(Format, how, cancellationToken) : Format.Open(file, how, cancellationToken);
        if (disk is not Qcow2Image image)
        {
            return new OpenedDisk(disk, null);
        }

        try
        {
            SnapshotTableEntry? entry = Snapshot is null ? null : image.FindSnapshot(Snapshot);
            return new OpenedDisk(entry is null ? image : image.OpenSnapshot(entry), image, entry);
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>What the file's metadata says.</summary>
    internal Qcow2ImageInfo ReadInformation() => Location.ReadInformation(Format);

    /// <summary>Size of the disk, in bytes, as the metadata says it.</summary>
    internal long ReadSize()
    {
        if (Options.Salvage)
        {
            // What describes an image reads all of its metadata, of which some may be damaged.
            using OpenedDisk opened = (this with { Options = Options with { Passphrase = null, BackingPassphrases = null } }).Open(CancellationToken.None);
            return opened.Disk.Length;
        }

        Qcow2ImageInfo info = ReadInformation();
        return Snapshot is null ? info.Size : Snapshot.Find(info).DiskSize;
    }

    /// <summary>Whether a name is one that VMware's programs give to a file with nothing but data: <c>disk-flat.vmdk</c>, <c>disk-f001.vmdk</c>.</summary>
    private static bool IsCalledExtent(string path)
        => Regex.IsMatch(System.IO.Path.GetFileName(path), @"-(flat|f\d{3,})\.vmdk$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    private static ImageCmdletException Ambiguous(string message) => new("FormatAmbiguous", ErrorCategory.InvalidData, message);
}
