using System.Net;
using System.Net.Http;

namespace Qcow2.Engine.Http;

/// <summary>An answer whose head is here. Its body is read piece by piece, and not waited for without end.</summary>
internal sealed class HttpAnswer : IDisposable
{
    private readonly HttpResponseMessage _message;
    private readonly CancellationTokenSource _deadline;
    private readonly CancellationTokenRegistration _cut;
    private readonly CancellationToken _stop;
    private readonly TimeSpan _stall;
    private Stream? _body;

    /// <param name="message">The answer, which goes with this object.</param>
    /// <param name="address">Where it came from.</param>
    /// <param name="stall">How long nothing may come.</param>
    /// <param name="stop">Ends the reading.</param>
    internal HttpAnswer(HttpResponseMessage message, Uri address, TimeSpan stall, CancellationToken stop)
    {
        _message = message;
        Address = address;
        _stall = stall;
        _stop = stop;
        _deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _cut = _deadline.Token.Register(message.Dispose); // .NET Framework does not look at the token any more once it waits.
    }

    internal HttpResponseMessage Message => _message;

    internal Uri Address { get; }

    internal HttpStatusCode Status => _message.StatusCode;

    /// <summary>Status and phrase, for messages.</summary>
    internal string StatusText => HttpErrors.Text(Status, _message.ReasonPhrase);

    /// <summary>Length of the body as the head has it; null where it does not say.</summary>
    internal long? BodyLength => _message.Content?.Headers.ContentLength;

    /// <summary>Refuses a body that is not the bytes of the file.</summary>
    internal void RequirePlain()
    {
        string[] encodings = [.. (_message.Content?.Headers.ContentEncoding ?? Enumerable.Empty<string>()).Where(name => !string.Equals(name, "identity", StringComparison.OrdinalIgnoreCase))];
        if (encodings.Length > 0)
        {
            throw HttpErrors.Wrong($"it is encoded ({Errors.PrintableText.Of(encodings[0])}) although that was not asked for, so that nothing in it is at its place");
        }
    }

    /// <summary>What a status other than those that answer the question means.</summary>
    internal Exception Failure()
    {
        int status = (int)Status;
        bool mayPass = status is 408 or 425 or 429 || (status >= 500 && status is not (501 or 505 or 511));
        return mayPass ? new TransientHttpException($"The server answers {StatusText}", RetryAfter()) : HttpErrors.Status(Status, _message.ReasonPhrase);
    }

    /// <summary>Reads what comes next.</summary>
    /// <returns>Number of bytes; 0 at the end.</returns>
    /// <exception cref="TransientHttpException">The connection was cut, or nothing came.</exception>
    internal async Task<int> ReadAsync(byte[] buffer, int offset, int count)
    {
        try
        {
            _body ??= _message.Content is null ? Stream.Null : await _message.Content.ReadAsStreamAsync().ConfigureAwait(false);
            _deadline.CancelAfter(_stall);
#pragma warning disable CA1835 // The other overload is not in netstandard2.0.
            int read = await _body.ReadAsync(buffer, offset, count, _deadline.Token).ConfigureAwait(false);
#pragma warning restore CA1835
            _deadline.CancelAfter(Timeout.InfiniteTimeSpan);
            return read;
        }
        catch (Exception e) when (HttpExchange.IsOfConnection(e))
        {
            _stop.ThrowIfCancellationRequested();
            throw new TransientHttpException(
                _deadline.IsCancellationRequested ? $"Nothing came from the server for {_stall.TotalSeconds:0.#} seconds" : $"The connection was cut in the midst of an answer ({HttpExchange.CauseOf(e)})", cause: e);
        }
    }

    /// <summary>Closes it; the connection can be used again if the body was read to its end.</summary>
    public void Dispose()
    {
        _cut.Dispose();
        _body?.Dispose();
        _message.Dispose();
        _deadline.Dispose();
    }

    private TimeSpan? RetryAfter()
        => _message.Headers.RetryAfter is not { } after ? null
            : after.Delta ?? (after.Date is DateTimeOffset date && date > DateTimeOffset.UtcNow ? date - DateTimeOffset.UtcNow : null);
}
