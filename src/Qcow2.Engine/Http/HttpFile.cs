using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Http;

/// <summary>A file on a server, which is read by range requests: what is needed of it and a little more, and never from two states of it.</summary>
/// <remarks>
/// <para>
/// The first request says what the file is: its length, its ETag or time of change. Each answer must be of the same state, and exactly the part that was asked for. What is cut is resumed
/// where it was cut, what fails for a reason that may pass is repeated; what does not pass is the end of all reading of this object.
/// </para>
/// <para>Safe to use from many threads, whose requests go side by side.</para>
/// </remarks>
public sealed class HttpFile : BlockStorage
{
    /// <summary>No device of a host has this number.</summary>
    private const ulong NoDevice = ulong.MaxValue - 1;

    private static long _lastIdentity;

    private readonly HttpExchange _exchange;
    private readonly HttpPages? _pages;

    private HttpFile(string path, HttpExchange exchange, HttpEntity entity, HttpPages? pages)
    {
        Path = path;
        _exchange = exchange;
        _pages = pages;
        Length = entity.Length;
        Identity = new FileIdentity(NoDevice, (ulong)Interlocked.Increment(ref _lastIdentity));
    }

    /// <summary>The address, as <see cref="HttpAddress.Show"/> shows it.</summary>
    public override string Path { get; }

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override long AllocatedLength => Length;

    /// <inheritdoc/>
    public override bool HasFixedLength => true;

    /// <inheritdoc/>
    public override FileIdentity Identity { get; }

    /// <summary>Bytes of the file that have come so far.</summary>
    public long BytesReceived => _pages?.BytesReceived ?? 0;

    /// <summary>Requests that were sent so far.</summary>
    public long RequestCount => _exchange.RequestCount;

    /// <summary>Most memory that what was read has taken, in bytes.</summary>
    internal long MostMemory => _pages?.MostMemory ?? 0;

    /// <summary>Opens a file.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="options">How; null for <see cref="HttpFileOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the opening and all reading.</param>
    /// <exception cref="ArgumentException">The address is none of a file on a server, or a header cannot be sent.</exception>
    /// <exception cref="Qcow2Exception">
    /// The file is not there, or not for us, or the server cannot be reached (<see cref="Qcow2ErrorCode.HttpRequestFailed"/>); or it gives no parts of it
    /// (<see cref="Qcow2ErrorCode.RangesNotSupported"/>), so that <see cref="HttpDownload"/> is left.
    /// </exception>
    public static HttpFile Open(Uri address, HttpFileOptions? options = null, CancellationToken cancellationToken = default)
    {
        var exchange = new HttpExchange(address, options ?? HttpFileOptions.Default);
        try
        {
            return Task.Run(() => OpenAsync(exchange, HttpAddress.Show(address), cancellationToken), cancellationToken).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            exchange.Dispose();
            if (e is Qcow2Exception known)
            {
                known.At(HttpAddress.Show(address));
            }

            throw;
        }
    }

    /// <summary>Throws what ended all reading of this object, if anything did: a server that is gone is no damage of the file.</summary>
    /// <exception cref="Qcow2Exception">Reading has failed.</exception>
    public void ThrowIfFailed() => _pages?.ThrowIfFailed();

    /// <inheritdoc/>
    /// <exception cref="Qcow2Exception">The server could not be reached, or the file has changed (<see cref="Qcow2ErrorCode.SourceChanged"/>).</exception>
    public override int Read(long offset, Span<byte> buffer)
    {
        int count = (int)Math.Max(0, Math.Min(buffer.Length, Length - offset));
        if (count > 0)
        {
            _pages!.Read(offset, buffer.Slice(0, count));
        }

        return count;
    }

    /// <inheritdoc/>
    internal override void WillRead(long offset, long length) => _pages?.WillRead(offset, length > Length - offset ? Length : offset + length);

    /// <summary>Is not possible.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => throw OnlyRead();

    /// <summary>Is not possible.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override void SetLength(long length) => throw OnlyRead();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => new(true, Length);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _pages?.Dispose();
            _exchange.Dispose();
        }
    }

    private static NotSupportedException OnlyRead() => new("A file on a server can only be read.");

    private static async Task<HttpFile> OpenAsync(HttpExchange exchange, string name, CancellationToken cancellationToken)
    {
        var ranges = new HttpRanges(exchange);
        using HttpAnswer? answer = await BeginAsync(ranges, exchange.Options, cancellationToken).ConfigureAwait(false);
        if (answer is null)
        {
            return new HttpFile(name, exchange, ranges.Entity, null);
        }

        var pages = new HttpPages(ranges, exchange.Options, name, cancellationToken);
        try
        {
            await pages.FillFirstAsync(answer).ConfigureAwait(false);
            return new HttpFile(name, exchange, ranges.Entity, pages);
        }
        catch
        {
            pages.Dispose();
            throw;
        }
    }

    private static async Task<HttpAnswer?> BeginAsync(HttpRanges ranges, HttpFileOptions options, CancellationToken cancellationToken)
    {
        var retry = new HttpRetry(options);
        while (true)
        {
            try
            {
                return await ranges.BeginAsync(HttpPages.PageSize, cancellationToken).ConfigureAwait(false);
            }
            catch (TransientHttpException e) when (e.IsNobodyThere)
            {
                throw HttpErrors.Failed($"{e.Message}.", e.InnerException); // A mistake in the address does not pass.
            }
            catch (TransientHttpException e)
            {
                await retry.PauseAsync(e, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
