using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Raw;

/// <summary>A raw file that a disk is copied into.</summary>
internal sealed class NewRawFile : NewDiskFile
{
    private readonly ReplacementFile? _file;
    private readonly BlockStorage _storage;
    private readonly RawDisk _disk;

    private NewRawFile(ReplacementFile? file, BlockStorage storage, Preallocation preallocation, ConversionOptions options)
    {
        _file = file;
        _storage = storage;
        _disk = RawDisk.Open(new UnflushedStorage(storage), isWritable: true);
        
        // What is shared with the source has no space of its own once either is written.
        Target = new DiskTarget(_disk, isZero: true, options.SparseSize) { Shares = preallocation == Preallocation.Off };
    }

    /// <inheritdoc/>
    internal override CopyTarget Target { get; }

    internal static NewRawFile Create(
        VirtualDisk source, string path, Preallocation preallocation, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
    {
        ConversionOptions.RequirePlain(options, "A raw file");
        ReplacementFile file = ReplacementFile.Create(path, overwrite);
        try
        {
            new RawResize(new UnflushedStorage(file.Storage)).To(source.Length, preallocation, null, cancellationToken);
            return new NewRawFile(file, file.Storage, preallocation, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Begins in storage of the caller's, who also keeps what is written.</summary>
    internal static NewRawFile Create(VirtualDisk source, BlockStorage storage, ConversionOptions options)
    {
        ConversionOptions.RequirePlain(options, "A raw file");
        storage.SetLength(source.Length);
        return new NewRawFile(null, storage, Preallocation.Off, options);
    }

    /// <inheritdoc/>
    internal override void Commit(CancellationToken cancellationToken)
    {
        _storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        _file?.Commit();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Target.Dispose();
        _disk.Dispose();
        _file?.Dispose();
    }
}
