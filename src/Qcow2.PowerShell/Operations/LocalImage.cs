using Qcow2.Engine;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Operations;

/// <summary>An image that is a file or a device of this machine. It is opened by its path, with the locks that its kind of use takes.</summary>
/// <param name="path">Full path.</param>
internal sealed class LocalImage(string path) : ImageLocation
{
    /// <inheritdoc/>
    internal override string Name => path;

    /// <inheritdoc/>
    internal override string? LocalPath => path;

    /// <inheritdoc/>
    internal override BlockStorage OpenBytes() => LocalFile.OpenRead(path);

    /// <inheritdoc/>
    /// <remarks>Refuses what is no file: a named pipe would wait for its other end.</remarks>
    internal override FormatRecognition Recognize() => DiskFormats.Recognize(path);

    /// <inheritdoc/>
    internal override VirtualDisk Open(DiskFormat format, Qcow2OpenOptions options, CancellationToken cancellationToken) => format.Open(path, options, cancellationToken);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo ReadInformation(DiskFormat format) => format.ReadInformation(path);

    /// <inheritdoc/>
    internal override IEnumerable<Qcow2ImageInfo> ReadChain(DiskFormat format, Qcow2OpenOptions options) => format.ReadChain(path, options);

    /// <inheritdoc/>
    internal override Qcow2CheckResult Check(DiskFormat format, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress> progress, CancellationToken cancellationToken)
        => format.Check(path, options, progress, cancellationToken);
}
