using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Http;

/// <summary>Brings a whole file of a server into storage: where the server gives no parts of it, or where all of it is to be checked before anything is read.</summary>
public static class HttpDownload
{
    private const int PieceSize = 1 << 20;

    /// <summary>Downloads a file by one request, which is begun anew where it was cut.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="destination">Where to; what it holds is replaced.</param>
    /// <param name="hash">The hash that the file must have; null for none.</param>
    /// <param name="options">How; null for <see cref="HttpFileOptions.Default"/>.</param>
    /// <param name="reserve">Told how long the file is, before any of it is written, where the server says that; may throw.</param>
    /// <param name="progress">Told how far it is; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The file is not there, the server cannot be reached, or the hash is another one (<see cref="Qcow2ErrorCode.HashMismatch"/>).</exception>
    public static void Run(
        Uri address, BlockStorage destination, ExpectedHash? hash = null, HttpFileOptions? options = null, Action<long>? reserve = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            using var exchange = new HttpExchange(address, options ?? HttpFileOptions.Default);
            Task.Run(() => RunAsync(exchange, destination, hash, reserve, progress, cancellationToken), cancellationToken).GetAwaiter().GetResult();
        }
        catch (Qcow2Exception e)
        {
            e.At(HttpAddress.Show(address));
            throw;
        }
    }

    /// <summary>Copies a file that is read in parts, from its start to its end.</summary>
    /// <param name="file">The file.</param>
    /// <param name="destination">Where to; what it holds is replaced.</param>
    /// <param name="hash">The hash that the file must have; null for none.</param>
    /// <param name="progress">Told how far it is; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The server cannot be reached, the file has changed, or the hash is another one (<see cref="Qcow2ErrorCode.HashMismatch"/>).</exception>
    public static void Run(
        HttpFile file, BlockStorage destination, ExpectedHash? hash = null, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using HashMeter? meter = hash?.Begin();
        HashedRead.Run(file, meter is null ? [] : [meter], destination, progress is null ? null : done => progress.Report(new WorkProgress(done, file.Length)), cancellationToken);
        try
        {
            meter?.Require();
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }

    private static async Task RunAsync(
        HttpExchange exchange, BlockStorage destination, ExpectedHash? hash, Action<long>? reserve, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        var retry = new HttpRetry(exchange.Options);
        while (true)
        {
            try
            {
                await TryAsync(exchange, destination, hash, reserve, progress, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (TransientHttpException e)
            {
                await retry.PauseAsync(e, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task TryAsync(
        HttpExchange exchange, BlockStorage destination, ExpectedHash? hash, Action<long>? reserve, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        using HttpAnswer answer = await exchange.GetAsync(null, cancellationToken).ConfigureAwait(false);
        if ((int)answer.Status != 200)
        {
            throw (int)answer.Status is >= 200 and < 300 ? HttpErrors.Wrong($"the whole file was asked for, and it is {answer.StatusText}") : answer.Failure();
        }

        answer.RequirePlain();
        long? length = answer.BodyLength;
        if (length is null && answer.Message.Headers.TransferEncodingChunked != true && hash is null)
        {
            throw HttpErrors.Failed("The server says neither how long the file is nor where it ends, so that nobody would notice if only a part came. Its hash would tell.");
        }

        if (length is long known)
        {
            reserve?.Invoke(known);
        }

        byte[] piece = new byte[PieceSize];
        using HashMeter? meter = hash?.Begin();
        destination.SetLength(0);
        long position = 0;
        while (await FillAsync(answer, piece).ConfigureAwait(false) is > 0 and int count)
        {
            meter?.Add(piece, count);
            destination.Write(position, piece.AsSpan(0, count));
            position += count;
            progress?.Report(new WorkProgress(position, length ?? 0));
        }

        if (length is long said && said != position)
        {
            throw new TransientHttpException($"The server ended its answer after {position} of {said} bytes");
        }

        meter?.Require();
    }

    /// <summary>Fills a piece, as far as the answer goes.</summary>
    private static async Task<int> FillAsync(HttpAnswer answer, byte[] piece)
    {
        int filled = 0;
        while (filled < piece.Length && await answer.ReadAsync(piece, filled, piece.Length - filled).ConfigureAwait(false) is > 0 and int read)
        {
            filled += read;
        }

        return filled;
    }
}
