using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>A disk to read: a QCOW2 image, one of its snapshots, or a raw file.</summary>
/// <param name="Path">Full path of the file.</param>
/// <param name="Format">What it is.</param>
/// <param name="Options">How to open it.</param>
/// <param name="Snapshot">The snapshot that is meant; null for the active disk.</param>
internal sealed record DiskSource(string Path, DiskImageFormat Format, Qcow2OpenOptions Options, SnapshotSelector? Snapshot)
{
    /// <summary>"QFI" and 0xfb (spec: "Header").</summary>
    private static readonly byte[] Magic = [0x51, 0x46, 0x49, 0xfb];

    /// <summary>Names that people give to raw disks only.</summary>
    private static readonly string[] RawExtensions = [".raw", ".iso", ".dd", ".bin"];

    /// <summary>The disk that a cmdlet was given.</summary>
    /// <param name="input">The file, and the object that named it.</param>
    /// <param name="format">What the user says it is; null for nothing.</param>
    /// <param name="options">How to open it.</param>
    /// <param name="snapshot">The snapshot that is meant; null for the active disk.</param>
    /// <param name="parameter">The parameter that says the format, with its dash.</param>
    internal static DiskSource Of(
        ImageInput input, DiskImageFormat? format, Qcow2OpenOptions options, SnapshotSelector? snapshot, string parameter = "-SourceFormat")
    {
        DiskImageFormat? known = format ?? input.Object switch
        {
            null or Qcow2CompareResult or Qcow2MeasureResult => null, // These are said of raw disks, too.
            Qcow2ImageInfo { Format: "raw" } => DiskImageFormat.Raw,
            Qcow2ImageInfo { Format: "" } => null, // It lost that property on its way.
            _ => DiskImageFormat.Qcow2,
        };
        var source = new DiskSource(input.Path, FormatOf(input.Path, known, parameter), options, snapshot);
        return source.Format == DiskImageFormat.Qcow2 || snapshot is null
            ? source
            : throw ImageCmdletException.NotPossible($"{input.Path}: a raw disk has no snapshots.");
    }

    /// <summary>Decides what a file is. A raw disk can look like any format, because its guest writes all of it.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="format">What the user says it is; null for nothing.</param>
    /// <param name="parameter">The parameter that says it, with its dash.</param>
    internal static DiskImageFormat FormatOf(string path, DiskImageFormat? format, string parameter)
    {
        if (format is DiskImageFormat known)
        {
            return known;
        }

        string extension = System.IO.Path.GetExtension(path);
        bool isCalledRaw = RawExtensions.Contains(extension, StringComparer.OrdinalIgnoreCase);
        using LocalFile file = LocalFile.OpenRead(path); // Refuses what is no file: a named pipe would wait for its other end.
        if (HasMagic(file))
        {
            return !isCalledRaw ? DiskImageFormat.Qcow2 : throw Ambiguous(
                $"{path}: the name is that of a raw disk, but the file begins as a qcow2 image does. The guest of a raw disk can write that there, and with it the name "
                + $"of any file of this machine. Say what it is: {parameter} Raw, or {parameter} Qcow2 if you trust it.");
        }

        FileSignature? kind = FileSignatures.Of(file);
        if (isCalledRaw || string.Equals(extension, ".img", StringComparison.OrdinalIgnoreCase))
        {
            return kind is not { ContradictsRaw: true } ? DiskImageFormat.Raw : throw Ambiguous(
                $"{path}: the name is that of a raw disk, but this looks like something else: {kind.Description}. {kind.Advice} "
                + $"If it is a raw disk all the same, say {parameter} Raw.");
        }

        throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2, kind switch
        {
            null => $"{path}: this is not a qcow2 image, and its name does not say that it is a raw disk. If it is one, say {parameter} Raw.",
            { ContradictsRaw: true } => $"{path}: this is not a qcow2 image, but {kind.Description}. {kind.Advice} Only if it is a raw disk all the same, say {parameter} Raw.",
            _ => $"{path}: this is not a qcow2 image, but {kind.Description}; its name does not say that it is to be read as raw. If it is, say {parameter} Raw.",
        });
    }

    /// <summary>Opens the disk.</summary>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <param name="held">Files that are held already, because they are deleted afterwards; null for none.</param>
    internal OpenedDisk Open(CancellationToken cancellationToken, HeldFiles? held = null)
    {
        LocalFile? file = held?.TryOpenRead(Path);
        if (Format == DiskImageFormat.Raw)
        {
            return new OpenedDisk(file is null ? RawDisk.Open(Path, Options) : RawDisk.Open(file), null);
        }

        Qcow2OpenOptions how = Options with { L2CacheSize = Qcow2OpenOptions.Sequential.L2CacheSize };
        Qcow2Image image = file is null ? Qcow2Image.Open(Path, how, cancellationToken) : Qcow2Image.Open(file, how, cancellationToken);
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
    internal Qcow2ImageInfo ReadInformation() => Format == DiskImageFormat.Raw ? Qcow2ImageInfo.ReadRaw(Path) : Qcow2ImageInfo.Read(Path);

    /// <summary>Size of the disk, in bytes, as the metadata says it.</summary>
    internal long ReadSize()
    {
        if (Options.Salvage && Format == DiskImageFormat.Qcow2)
        {
            // What describes an image reads all of its metadata, of which some may be damaged.
            using OpenedDisk opened = (this with { Options = Options with { Passphrase = null } }).Open(CancellationToken.None);
            return opened.Disk.Length;
        }

        Qcow2ImageInfo info = ReadInformation();
        return Snapshot is null ? info.Size : Snapshot.Find(info).DiskSize;
    }

    private static bool HasMagic(LocalFile file)
    {
        byte[] start = new byte[Magic.Length];
        return file.Read(0, start) == start.Length && start.AsSpan().SequenceEqual(Magic);
    }

    private static ImageCmdletException Ambiguous(string message) => new("FormatAmbiguous", ErrorCategory.InvalidData, message);
}
