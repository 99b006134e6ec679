using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>Where the bytes of an image come from. What reads an image asks here, and knows no path.</summary>
/// <remarks>
/// A kind of source is a class of this: it says how people call the image, opens its bytes, and says how far what the image names may be followed. It may be opened any number of
/// times, also at once; what it keeps open for that, it closes when it is disposed of.
/// </remarks>
internal abstract class ImageLocation : IDisposable
{
    /// <summary>How people, messages and objects call it: the full path of a file.</summary>
    internal abstract string Name { get; }

    /// <summary>How the name ends, with the dot, which is a word on what the content is; empty for none.</summary>
    internal virtual string Extension => System.IO.Path.GetExtension(Name);

    /// <summary>The full path of the file that it is; null where it is no file of this machine.</summary>
    internal virtual string? LocalPath => null;

    /// <summary>Whether each byte that is read comes over a network, so that none should be read twice.</summary>
    internal virtual bool IsRemote => false;

    /// <summary>What has to be done before anything is opened, as a participle for its progress; null for nothing.</summary>
    internal virtual string? Preparation => null;

    /// <summary>Does what has to be done first, on another thread than the pipeline's.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal virtual void Prepare(IProgress<WorkProgress> progress, CancellationToken cancellationToken)
    {
    }

    /// <summary>
    /// Whether what was read contradicts what was taken for right when the image was prepared. That was an error for whoever read it; prepared again, the image is as it is.
    /// </summary>
    internal virtual bool IsToBePreparedAgain => false;

    /// <summary>What was found out meanwhile that people should know, as a sentence; null for nothing.</summary>
    internal virtual string? Warning => null;

    /// <summary>What reading it has taken, for who wants to know more; null for nothing.</summary>
    internal virtual string? Summary => null;

    /// <summary>Opens the bytes, for a look at them. The caller closes them.</summary>
    internal abstract BlockStorage OpenBytes();

    /// <summary>Says what the content and the name may be taken for.</summary>
    internal virtual FormatRecognition Recognize() => Look(bytes => DiskFormats.Recognize(bytes, Extension));

    /// <summary>Opens the image as a disk.</summary>
    /// <param name="format">What it is.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    internal virtual VirtualDisk Open(DiskFormat format, Qcow2OpenOptions options, CancellationToken cancellationToken)
        => options.Writable ? throw ImageCmdletException.NotPossible($"{Name}: this can only be read.") : format.Open(OpenBytes(), options, cancellationToken);

    /// <summary>What the image's metadata says.</summary>
    internal virtual Qcow2ImageInfo ReadInformation(DiskFormat format) => Look(format.ReadInformation);

    /// <summary>What the metadata of the image and of each one below it says, as far as these may be opened.</summary>
    internal virtual IEnumerable<Qcow2ImageInfo> ReadChain(DiskFormat format, Qcow2OpenOptions options)
    {
        using BlockStorage bytes = OpenBytes();
        foreach (Qcow2ImageInfo info in format.ReadChain(bytes))
        {
            EnsureRead();
            yield return info;
        }
    }

    /// <summary>Checks the image.</summary>
    internal virtual Qcow2CheckResult Check(DiskFormat format, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress> progress, CancellationToken cancellationToken)
        => Look(bytes => format.Check(bytes, options, progress, cancellationToken));

    /// <summary>Closes what was kept open.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes what was kept open.</summary>
    /// <param name="disposing">False when called by the finaliser.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>
    /// Throws what kept bytes from coming, if anything did. Who describes or checks an image takes bytes that do not come for damage, and goes on; what a server did not give is none.
    /// </summary>
    internal virtual void EnsureRead()
    {
    }

    /// <summary>Opens the bytes, looks at them, and closes them.</summary>
    private protected T Look<T>(Func<BlockStorage, T> look)
    {
        using BlockStorage bytes = OpenBytes();
        T seen = look(bytes);
        EnsureRead();
        return seen;
    }
}
