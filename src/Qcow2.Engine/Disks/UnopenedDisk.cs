using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Disks;

/// <summary>Stands for a backing file that was not opened because nobody meant to read it. Whoever does is told, and reads no zeros.</summary>
internal sealed class UnopenedDisk(string name, string imagePath) : VirtualDisk
{
    /// <inheritdoc/>
    public override string Path => name;

    /// <summary>Longer than any image: everything that the image does not hold may lie there.</summary>
    public override long Length => long.MaxValue;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => null;

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer) => throw Unavailable();

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth) => throw Unavailable();

    private Qcow2Exception Unavailable() => new Qcow2Exception(
        Qcow2ErrorCode.BackingFileUnavailable,
        $"The image was opened without its backing file '{PrintableText.Of(name)}', and this is data of that file.").At(imagePath);
}
