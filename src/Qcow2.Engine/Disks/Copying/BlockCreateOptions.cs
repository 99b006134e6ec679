using Qcow2.Engine.Conversion;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How to lay out a new file of a format that keeps its disk in blocks of one size, with a table that says where each of them lies.</summary>
public abstract record BlockCreateOptions : DiskCreateOptions
{
    private protected BlockCreateOptions()
    {
    }

    /// <summary>Makes the ids of new files; tests make them foreseeable.</summary>
    internal Func<Guid> NewId { get; init; } = Guid.NewGuid;

    /// <summary>What new files are written through; tests fail writes there. It leaves the file open.</summary>
    internal Func<BlockStorage, BlockStorage> Through { get; init; } = file => file;

    /// <summary>Whether the host fills with zeros what is skipped in a file that must have no holes; tests say it of any host.</summary>
    internal bool FillsSkipped { get; init; } = OperatingSystemInfo.IsWindows;

    /// <summary>What a file is called where it cannot have what is asked for, as a sentence begins: "A VDI image".</summary>
    private protected abstract string Subject { get; }

    /// <summary>Bytes of a block of a disk of this size.</summary>
    private protected abstract long BlockSizeOf(long diskSize);

    /// <summary>Bytes of a file in which this many blocks of the disk have a place.</summary>
    private protected abstract long FileSizeOf(long diskSize, long blocks);

    /// <summary>Whether every block has a place from the start.</summary>
    private protected abstract bool IsWhole { get; }

    /// <summary>Whether a file on Windows must be one without holes, neither compressed nor encrypted.</summary>
    private protected virtual bool IsOrdinaryFile => false;

    /// <summary>Begins to fill a file.</summary>
    /// <param name="file">The file, which is empty.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    /// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
    private protected abstract BlockTarget NewTarget(BlockStorage file, long diskSize, int sparseSize);

    /// <inheritdoc/>
    internal override NewDiskFile Begin(VirtualDisk source, string path, bool overwrite, ConversionOptions options, CancellationToken cancellationToken)
    {
        ConversionOptions.RequirePlain(options, Subject, IsCompressed);
        return BeginFile(source, path, DiskSizeFor(source.Length), overwrite, options);
    }

    /// <inheritdoc/>
    internal override void CreateFile(string path, long? size, bool overwrite, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long diskSize = DiskSizeFor(NotNegative(size ?? throw new ArgumentException($"{Subject} needs a size.", nameof(size))));
        using NewDiskFile file = BeginFile(null, System.IO.Path.GetFullPath(path), diskSize, overwrite, ConversionOptions.Default);
        file.Complete(cancellationToken);
        file.Commit(cancellationToken);
    }

    /// <inheritdoc/>
    internal override Qcow2MeasureResult Measure(long size, VirtualDisk? source, VirtualDisk? bitmapSource, CancellationToken cancellationToken)
    {
        long diskSize = DiskSizeFor(NotNegative(size));
        long blockSize = BlockSizeOf(diskSize);
        long all = (diskSize / blockSize) + (diskSize % blockSize != 0 ? 1 : 0);
        long needed = IsWhole ? all : source is null ? 0 : DataClusters.Count(source, blockSize, cancellationToken);
        return new Qcow2MeasureResult
        {
            Path = source?.Path ?? "",
            Size = size,
            DestinationFormat = FormatName,
            RequiredBytes = FileSizeOf(diskSize, needed),
            FullyAllocatedBytes = FileSizeOf(diskSize, all),
        };
    }

    /// <summary>Begins the file or files.</summary>
    /// <param name="source">What is copied into them, which is read from none of them; null for nothing.</param>
    /// <param name="path">Full path of the file that is opened as the disk.</param>
    /// <param name="diskSize">Size of the disk, in bytes.</param>
    /// <param name="overwrite">Whether files that exist are replaced.</param>
    /// <param name="options">How the disk is copied.</param>
    private protected virtual NewDiskFile BeginFile(VirtualDisk? source, string path, long diskSize, bool overwrite, ConversionOptions options)
        => BeginFile(path, overwrite, file => NewTarget(file, diskSize, options.SparseSize));

    /// <summary>Begins a file that holds all there is.</summary>
    /// <param name="path">Its full path.</param>
    /// <param name="overwrite">Whether a file that exists is replaced.</param>
    /// <param name="newTarget">Begins to fill it.</param>
    private protected NewDiskFile BeginFile(string path, bool overwrite, Func<BlockStorage, CopyTarget> newTarget)
    {
        ReplacementFile file = IsOrdinaryFile ? ReplacementFile.CreateOrdinary(path, overwrite) : ReplacementFile.Create(path, overwrite);
        try
        {
            return new NewBlockFile(file, newTarget(Through(file.Storage)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static long NotNegative(long size)
        => size >= 0 ? size : throw new ArgumentOutOfRangeException(nameof(size), size, "A disk's size is 0 bytes or more.");
}
