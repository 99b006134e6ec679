using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Formats;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>A format of disk images: how a file of it is told, opened and described. <see cref="DiskFormats"/> has all of them.</summary>
public abstract class DiskFormat
{
    internal DiskFormat(string name, string description, params string[] extensions)
    {
        Name = name;
        Description = description;
        Extensions = extensions;
    }

    /// <summary>The name that cmdlets show, in lower case: <c>qcow2</c>, for one.</summary>
    public string Name { get; }

    /// <summary>The name that an image records where this is the format of its backing file: QEMU's, which may be another.</summary>
    public virtual string RecordedName => Name;

    /// <summary>What a file of it is, as a sentence goes on: "a qcow2 image".</summary>
    public string Description { get; }

    /// <summary>How its mark shows in a file, as a sentence goes on: "begins as a qcow2 image does".</summary>
    public virtual string Appearance => $"begins as {Description} does";

    /// <summary>How names end that stand for the format, with the dot and in lower case; where a file is made, they decide what it becomes.</summary>
    public IReadOnlyList<string> Extensions { get; }

    /// <summary>Whether an existing file of it can be written in place.</summary>
    public abstract bool CanWrite { get; }

    /// <summary>Whether new files of it can be made (<see cref="DiskCreateOptions"/>).</summary>
    public abstract bool CanCreate { get; }

    /// <summary>Whether a file has anything that can be checked. A raw disk has not: all of it is data.</summary>
    public virtual bool CanCheck => false;

    /// <summary>Whether a file can hold snapshots.</summary>
    public virtual bool HasSnapshots => false;

    /// <summary>Opens a file as what this format says it is, whatever it looks like.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <returns>The disk, with everything below it in its chain.</returns>
    /// <exception cref="Qcow2Exception">
    /// The file, or another of its chain, cannot be used, or it is to be written and the format cannot be; <see cref="Qcow2Exception.Code"/> says why.
    /// </exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public VirtualDisk Open(string path, Qcow2OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= Qcow2OpenOptions.Default;
        if (options.Writable && !CanWrite)
        {
            throw Qcow2Errors.Unsupported($"This is {Description}, which can only be read here: convert it to a qcow2 image or a raw disk, and write to that.")
                .At(System.IO.Path.GetFullPath(path));
        }

        return Open(options.Writable ? ImageFile.OpenForWriting(path) : ImageFile.Open(path, options), options, cancellationToken);
    }

    /// <summary>Opens a disk that lies in storage of the caller's. The disk owns the storage from then on.</summary>
    /// <param name="storage">The file's bytes; disposed of also when it cannot be opened.</param>
    /// <param name="options">How; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the trying of a passphrase, which takes seconds by design.</param>
    /// <returns>The disk, with everything below it in its chain.</returns>
    /// <exception cref="Qcow2Exception">The file, or another of its chain, cannot be used; <see cref="Qcow2Exception.Code"/> says why.</exception>
    public VirtualDisk Open(BlockStorage storage, Qcow2OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return Open(storage, ChainContext.Begin(storage, options ?? Qcow2OpenOptions.Default, cancellationToken));
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    /// <summary>Describes a file without reading its data. Opens no other file, and works on an image that is in use.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <exception cref="Qcow2Exception">The file is not of this format, or its header is damaged.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    public Qcow2ImageInfo ReadInformation(string path) => ImageInfoReader.Read(path, this);

    /// <summary>Describes what lies in storage of the caller's, who closes it, without reading its data. Opens no other file.</summary>
    /// <param name="storage">The file's bytes.</param>
    /// <exception cref="Qcow2Exception">The bytes are not of this format, or its header is damaged.</exception>
    /// <exception cref="IOException">They could not be read.</exception>
    public Qcow2ImageInfo ReadInformation(BlockStorage storage) => ImageInfoReader.Read(storage, this);

    /// <summary>Describes a file and each file below it in its chain, from the top down.</summary>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How to follow the chain; null for <see cref="Qcow2OpenOptions.Default"/>.</param>
    /// <exception cref="Qcow2Exception">
    /// As <see cref="ReadInformation(string)"/>, or a file below is missing or refused; what lies above it was returned, the last of it with a
    /// <see cref="Qcow2ImageInfo.BackingFileProblem"/>.
    /// </exception>
    public IEnumerable<Qcow2ImageInfo> ReadChain(string path, Qcow2OpenOptions? options = null)
        => ImageInfoReader.ReadChain(path, this, options ?? Qcow2OpenOptions.Default);

    /// <summary>Describes what lies in storage that is no file of this machine (<see cref="BlockStorage.HasLocalPath"/>), and says that what is below it is not opened.</summary>
    /// <param name="storage">The file's bytes; the caller closes it.</param>
    /// <exception cref="Qcow2Exception">As <see cref="ReadInformation(BlockStorage)"/>, or there is something below, which was said on what was returned.</exception>
    public IEnumerable<Qcow2ImageInfo> ReadChain(BlockStorage storage) => ImageInfoReader.ReadChain(storage, this);

    /// <summary>Checks a file of this format: check sums, headers, tables, what overlaps and what lies past its end. Damage is a finding, whatever the bytes are.</summary>
    /// <remarks>
    /// The file is only read. Other files are opened where <see cref="Qcow2CheckOptions.References"/> lets them be, and none with
    /// <see cref="Qcow2CheckOptions.Untrusted"/>: the parent of a differencing disk, for its id, and the extents of a VMDK disk.
    /// </remarks>
    /// <param name="path">The file; a relative path is taken from the process's current directory.</param>
    /// <param name="options">How; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the check within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">The file is not of this format, another program is writing it, or the format has nothing to check.</exception>
    /// <exception cref="IOException">The host could not open or read the file.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public Qcow2CheckResult Check(
        string path, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= Qcow2CheckOptions.Default;
        using LocalFile file = ImageFile.Open(path, new Qcow2OpenOptions { ForceShare = options.ForceShare });
        return Check(file, options, progress, cancellationToken);
    }

    /// <summary>Checks a file of this format that lies in storage of the caller's, who closes it.</summary>
    /// <param name="storage">The file's bytes.</param>
    /// <param name="options">How; null for <see cref="Qcow2CheckOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the check within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">The bytes are not of this format, or the format has nothing to check.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public Qcow2CheckResult Check(
        BlockStorage storage, Qcow2CheckOptions? options = null, IProgress<Qcow2CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return Check(new FileCheck(storage, options ?? Qcow2CheckOptions.Default, progress, cancellationToken));
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    /// <summary>
    /// Whether files of it are commonly called just a disk (<c>.img</c>), so that its mark counts there. Of all others such a mark is more likely a guest's
    /// doing: the first and the last sector of a raw disk are its guest's.
    /// </summary>
    internal virtual bool IsCalledAnyDisk => false;

    /// <summary>
    /// Whether a file has the format's mark. It proves nothing: a guest can write any mark that lies among its disk's bytes. So a format whose mark
    /// lies outside of them is asked first (<see cref="DiskFormats.All"/>), and looks there and nowhere else.
    /// </summary>
    internal abstract bool IsMarked(FileContent content);

    /// <summary>Opens a file of this format as a part of a chain. On failure the storage is left to the caller.</summary>
    internal abstract VirtualDisk Open(BlockStorage storage, ChainContext chain);

    /// <summary>Says what the file's metadata says; what is true of any file is added by the caller.</summary>
    internal abstract Qcow2ImageInfo Describe(BlockStorage file);

    /// <summary>Checks a file of this format, whatever its bytes are.</summary>
    internal virtual Qcow2CheckResult Check(FileCheck check)
        => throw Qcow2Errors.Unsupported($"This is {Description}, which has no structure that could be checked.");

    /// <summary>Whether a name means this format: its own or QEMU's, in letters of either case.</summary>
    internal bool IsCalled(string? name)
        => string.Equals(Name, name, StringComparison.OrdinalIgnoreCase) || string.Equals(RecordedName, name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether there is a file below one of this format, by what is known of that.</summary>
    internal virtual bool HasParent(Qcow2ImageInfo info) => info.BackingFile is not null;

    /// <summary>Opens the file below one of this format alone, taking no lock, for a look at its header.</summary>
    /// <exception cref="Qcow2Exception">The file is missing or refused, or its format is not known.</exception>
    internal virtual (LocalFile File, DiskFormat Format) OpenParentForInformation(Qcow2ImageInfo child, Qcow2OpenOptions options)
        => ParentFile.OpenForInformation(child.BackingFile!, child.BackingFormat, child.Path, options);
}
