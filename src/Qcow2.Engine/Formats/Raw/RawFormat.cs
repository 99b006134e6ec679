using Qcow2.Engine.Disks.Recognition;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Raw;

/// <summary>Raw disks: whatever a file holds is the disk.</summary>
internal sealed class RawFormat() : DiskFormat("raw", "a raw disk", ".raw", ".iso", ".dd", ".bin")
{
    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanCreate => true;

    /// <inheritdoc/>
    internal override bool IsMarked(FileContent content) => false;

    /// <inheritdoc/>
    internal override VirtualDisk Open(BlockStorage storage, ChainContext chain) => RawDisk.Open(storage, chain.IsTop && chain.Options.Writable);

    /// <inheritdoc/>
    internal override Qcow2ImageInfo Describe(BlockStorage file) => new() { Size = file.Length };
}
