using Qcow2.Engine.Storage;
using Qcow2.Engine.Work;

namespace Qcow2.Engine.Conversion;

/// <summary>
/// Writes a disk as a raw file, several threads at once. Holes and zeros are neither read nor written, so they stay holes.
/// </summary>
public static class RawConverter
{
    /// <summary>
    /// Converts a disk into a new raw file. The file is written under another name and moved into place when it is
    /// complete, so a failure leaves what was there before.
    /// </summary>
    /// <param name="source">The disk.</param>
    /// <param name="path">The file to make; a relative path is taken from the process's current directory.</param>
    /// <param name="overwrite">Whether a file that exists is replaced.</param>
    /// <param name="options">How; null for <see cref="RawConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    /// <exception cref="Qcow2Exception">
    /// The source is damaged or needs a passphrase; or the file exists and may not be replaced, or the source is read from it.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it.</exception>
    public static void Convert(
        VirtualDisk source,
        string path,
        bool overwrite = false,
        RawConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        if (source.ReadsFrom(path))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.DestinationIsSource,
                $"{source.Path} is read from this very file, directly or through its backing chain, so that it cannot be the destination.")
                .At(System.IO.Path.GetFullPath(path));
        }

        source.EnsureReadable();
        using var destination = ReplacementFile.Create(path, overwrite);
        Convert(source, destination.Storage, options, progress, cancellationToken);
        destination.Storage.Flush();
        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
    }

    /// <summary>Converts a disk into storage that is empty and reads as zeros.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="destination">The storage; set to the disk's length.</param>
    /// <param name="options">How; null for <see cref="RawConversionOptions.Default"/>.</param>
    /// <param name="progress">Told of progress from any of the threads, often; null for none.</param>
    /// <param name="cancellationToken">Stops the conversion within a fraction of a second.</param>
    public static void Convert(
        VirtualDisk source,
        BlockStorage destination,
        RawConversionOptions? options = null,
        IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        options ??= RawConversionOptions.Default;
        destination.SetLength(source.Length);
        using var work = new ChunkQueue(source, progress, cancellationToken);
        var writer = new SparseWriter(destination, options.SparseSize);
        ParallelWorkers.Run(options.ThrottleLimit, () => CopyChunks(source, writer, work), work.Stop);
    }

    private static void CopyChunks(VirtualDisk source, SparseWriter writer, ChunkQueue work)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(ChunkQueue.MaxChunkLength);
        try
        {
            while (work.TryTake(out Chunk chunk))
            {
                Span<byte> data = buffer.AsSpan(0, chunk.Length);
                source.ReadCore(chunk.Offset, data);
                writer.Write(chunk.Offset, data);
                work.Complete(chunk.Length);
            }
        }
        finally
        {
            // What was read may be a decrypted disk.
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
