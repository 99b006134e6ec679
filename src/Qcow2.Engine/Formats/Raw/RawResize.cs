using System.Buffers;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Raw;

/// <summary>
/// Gives a raw file another length. The length is set first and by one call, so that the disk has the old size or the new one whenever the host stops; what is
/// preallocated then only changes where zeros lie, and goes with the length if it fails.
/// </summary>
internal sealed class RawResize(BlockStorage storage)
{
    private const int ZeroedPieceBytes = 1 << 20;
    private const long ReservedPieceBytes = 1L << 30; // The host reserves that in no time, and the caller can stop in between.

    /// <summary>Cuts the file off, or lengthens it.</summary>
    /// <exception cref="OperationCanceledException">It was stopped; the file has its old length.</exception>
    /// <exception cref="IOException">The host could not do it; the file has its old length as far as the host lets us.</exception>
    internal void To(long size, Preallocation preallocation, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long oldSize = storage.Length;
        storage.SetLength(size);
        try
        {
            for (long offset = oldSize; preallocation != Preallocation.Off && offset < size;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                offset += Take(offset, size - offset, preallocation);
                progress?.Report(offset - oldSize);
            }

            storage.Flush();
        }
        catch when (size > oldSize)
        {
            GiveBack(oldSize);
            throw;
        }
    }

    /// <summary>Gets space for the next piece.</summary>
    /// <returns>How long the piece was.</returns>
    private long Take(long offset, long most, Preallocation preallocation)
    {
        long reserved = Math.Min(most, ReservedPieceBytes);
        if (preallocation == Preallocation.Falloc && storage.TryAllocate(offset, reserved))
        {
            return reserved;
        }

        int count = (int)Math.Min(most, ZeroedPieceBytes);
        byte[] zeros = ArrayPool<byte>.Shared.Rent(count);
        try
        {
            Array.Clear(zeros, 0, count);
            storage.Write(offset, zeros.AsSpan(0, count));
            return count;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }

    private void GiveBack(long oldSize)
    {
        try
        {
            storage.SetLength(oldSize);
        }
        catch (IOException)
        {
            // The first failure is the one to tell. What was added reads as zeros.
        }
    }
}
