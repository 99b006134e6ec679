using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Formats.Parallels;
using Qcow2.Engine.Formats.Qcow1;
using Qcow2.Engine.Formats.Qcow2;
using Qcow2.Engine.Formats.Qed;
using Qcow2.Engine.Formats.Raw;
using Qcow2.Engine.Formats.Vdi;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Formats.Vhdx;
using Qcow2.Engine.Formats.Vmdk;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>The formats that are read here: the one place that names them all.</summary>
public static class DiskFormats
{
    /// <summary>How names end that say that there is a disk, and not in what format.</summary>
    private const string AnyDisk = ".img";

    /// <summary>
    /// Every format, in the order in which files are looked at for their marks. One whose mark lies where no guest can write comes before those
    /// whose mark does not; a raw disk has none, and comes last.
    /// </summary>
    public static IReadOnlyList<DiskFormat> All { get; } =
    [
        new VhdFormat(),
        new Qcow1Format(),
        new Qcow2Format(),
        new VhdxFormat(),
        new VmdkFormat(),
        new QedFormat(),
        new ParallelsFormat(),
        new VdiFormat(),
        new RawFormat(),
    ];

    /// <summary>The bytes of a disk and nothing else.</summary>
    public static DiskFormat Raw => All[All.Count - 1];

    /// <summary>The names of all formats, for messages: "qcow2 and raw".</summary>
    internal static string Names => string.Join(", ", All.Take(All.Count - 1).Select(format => format.Name)) + " and " + Raw.Name;

    /// <summary>Finds a format by its name or by QEMU's name for it, in letters of either case.</summary>
    /// <returns>Null if there is none of that name.</returns>
    public static DiskFormat? Find(string? name) => All.FirstOrDefault(format => format.IsCalled(name));

    /// <summary>Finds a format that is there, by its name.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static DiskFormat Get(string name) => Find(name) ?? throw new ArgumentException($"There is no format '{name}'; there are {Names}.", nameof(name));

    /// <summary>What an image records of a format that was named: QEMU's name for it. A name that is not known stays as it is.</summary>
    internal static string RecordedNameOf(string name) => Find(name)?.RecordedName ?? name;

    /// <summary>The format that the name of a new file stands for.</summary>
    /// <param name="path">The file, which need not exist.</param>
    /// <returns>Null if the name stands for none that can be made.</returns>
    public static DiskFormat? OfNewFile(string path)
    {
        string extension = System.IO.Path.GetExtension(path);
        return All.FirstOrDefault(format => format.CanCreate && format.Extensions.Contains(extension, StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>Decides what a file may be taken for, by its content and its name together.</summary>
    /// <remarks>
    /// The guest of a raw disk writes all of it, and can make it look like any format, with the name of any file of this machine in it. So a file with a
    /// format's mark and the name of a raw disk is taken for neither, and one without a mark is a raw disk only if its name says so. A name in <c>.img</c>
    /// says so, too; but QCOW2 images have such names, and are told by their mark.
    /// </remarks>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <exception cref="IOException">The file could not be read, or is none that can be looked at, such as a pipe.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FormatRecognition Recognize(string path)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return Recognize(file, System.IO.Path.GetExtension(path));
    }

    /// <summary>The format whose mark the content has.</summary>
    internal static DiskFormat? MarkOf(FileContent content) => All.FirstOrDefault(format => format.IsMarked(content));

    /// <summary>Decides what a file that lies in storage of the caller's may be taken for, as <see cref="Recognize(string)"/> does.</summary>
    /// <param name="file">The file's bytes.</param>
    /// <param name="extension">How its name ends, with the dot; empty for no name.</param>
    /// <exception cref="IOException">It could not be read.</exception>
    public static FormatRecognition Recognize(BlockStorage file, string extension)
    {
        var content = new FileContent(file);
        bool isCalledAnyDisk = string.Equals(extension, AnyDisk, StringComparison.OrdinalIgnoreCase);
        bool isCalledRaw = isCalledAnyDisk || Raw.Extensions.Contains(extension, StringComparer.OrdinalIgnoreCase);
        if (MarkOf(content) is DiskFormat marked)
        {
            isCalledRaw &= !(isCalledAnyDisk && marked.IsCalledAnyDisk);
            return new FormatRecognition(isCalledRaw ? null : marked, marked, null, isCalledRaw);
        }

        FileSignature? signature = FileSignatures.Of(content);
        return new FormatRecognition(isCalledRaw && signature is not { ContradictsRaw: true } ? Raw : null, null, signature, isCalledRaw);
    }
}

/// <summary>What is known of a file whose format nobody has said.</summary>
/// <param name="Format">What it may be taken for; null if somebody has to say.</param>
/// <param name="Mark">The format whose mark it has; null for none.</param>
/// <param name="Signature">What else it looks like, where it has no format's mark; null for nothing that is known.</param>
/// <param name="IsCalledRaw">Whether its name is that of a raw disk.</param>
public sealed record FormatRecognition(DiskFormat? Format, DiskFormat? Mark, FileSignature? Signature, bool IsCalledRaw);
