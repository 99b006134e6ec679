using System.Buffers;
using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>Moves bytes between a disk and something else, in pieces between which it can be stopped.</summary>
internal sealed class DiskTransfer
{
    /// <summary>Largest piece of data. Pieces end where clusters of any size end.</summary>
    private const int DataPiece = 2 << 20;

    /// <summary>Largest piece of a range that is only marked.</summary>
    private const long MarkedPiece = 1L << 30;

    private readonly TrackedOperation _operation;

    internal DiskTransfer(string activity, string path)
        => _operation = new TrackedOperation($"{activity} {DisplayText.Printable(System.IO.Path.GetFileName(path))}");

    /// <summary>Runs work with this transfer, on another thread.</summary>
    internal void Run(Action<CancellationToken> work, Action<ProgressRecord> show, CancellationToken stop) => _operation.Run(work, show, stop);

    /// <summary>Fills a buffer from a disk.</summary>
    internal void Read(VirtualDisk disk, long offset, byte[] buffer, CancellationToken cancellationToken)
    {
        _operation.Total = buffer.Length;
        InPieces(
            offset, buffer.Length, DataPiece,
            (position, length) => disk.Read(position, buffer.AsSpan((int)(position - offset), (int)length)), cancellationToken);
    }

    /// <summary>Copies a range of a disk to empty storage. What reads as zeros stays a hole.</summary>
    internal void Read(VirtualDisk disk, long offset, long count, BlockStorage destination, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(DataPiece);
        try
        {
            destination.SetLength(count);
            _operation.Total = count;
            foreach (DiskExtent extent in disk.GetExtents(offset, count, cancellationToken))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (extent.Kind == ExtentKind.Data)
                {
                    InPieces(extent.Offset, extent.Length, DataPiece, Copy, cancellationToken);
                }
                else
                {
                    _operation.Done += extent.Length;
                }
            }
        }
        finally
        {
            // What was read may be a decrypted disk.
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }

        void Copy(long position, long length)
        {
            Span<byte> data = buffer.AsSpan(0, (int)length);
            disk.Read(position, data);
            destination.Write(position - offset, data);
        }
    }

    /// <summary>Writes bytes to a disk.</summary>
    internal void Write(VirtualDisk disk, long offset, Stream source, long count, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(DataPiece);
        try
        {
            _operation.Total = count;
            InPieces(offset, count, DataPiece, Copy, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }

        void Copy(long position, long length)
        {
            Fill(source, buffer, (int)length);
            disk.Write(position, buffer.AsSpan(0, (int)length));
        }
    }

    /// <summary>Does something to a range of a disk that is quick for each byte.</summary>
    internal void Mark(long offset, long count, Action<long, long> mark, CancellationToken cancellationToken)
    {
        _operation.Total = count;
        InPieces(offset, count, MarkedPiece, mark, cancellationToken);
    }

    private void InPieces(long offset, long count, long piece, Action<long, long> work, CancellationToken cancellationToken)
    {
        for (long position = offset; position < offset + count;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long length = Math.Min(piece - (position % piece), offset + count - position);
            work(position, length);
            position += length;
            _operation.Done += length;
        }
    }

    private static void Fill(Stream source, byte[] buffer, int count)
    {
        for (int done = 0; done < count;)
        {
            int read = source.Read(buffer, done, count - done);
            done += read > 0 ? read : throw new ImageCmdletException(
                "InputFileChanged", ErrorCategory.ReadError, "The input file got shorter while it was read; a part of it was written.");
        }
    }
}
