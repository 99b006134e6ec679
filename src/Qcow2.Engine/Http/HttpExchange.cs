using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Authentication;
using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Http;

/// <summary>Requests for one file on a server, through whatever redirects lead to it. Safe from many threads.</summary>
internal sealed class HttpExchange : IDisposable
{
    private const string UserAgent = "Qcow2";

    /// <summary>Headers that decide what an answer is; they are ours alone.</summary>
    private static readonly string[] OwnHeaders =
        ["Accept-Encoding", "Connection", "Content-Length", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", "TE", "Transfer-Encoding"];

    /// <summary>What no header's name can have.</summary>
    private static readonly char[] Separators = [.. "()<>@,;:\\\"/[]?={}"];

    private readonly Uri _address;
    private readonly HttpFileOptions _options;
    private readonly HttpClient _client;

    /// <summary>Where redirects led to; null for the address itself.</summary>
    private volatile Uri? _found;
    private long _requests;

    /// <exception cref="ArgumentException">The address is none, or a header cannot be.</exception>
    /// <exception cref="Qcow2Exception">A secret would be sent so that all can read it.</exception>
    internal HttpExchange(Uri address, HttpFileOptions options)
    {
        if (HttpAddress.ProblemOf(address) is string problem)
        {
            throw new ArgumentException(problem, nameof(address));
        }

        foreach (KeyValuePair<string, string> header in options.Headers)
        {
            RequireUsable(header.Key, header.Value);
        }

        bool hasSecret = options.Credential is not null || options.UseDefaultCredentials || options.Authorization is not null
            || options.Headers.Any(header => string.Equals(header.Key, "Authorization", StringComparison.OrdinalIgnoreCase));
        if (hasSecret && !HttpAddress.IsEncrypted(address) && !options.AllowUnencryptedAuthentication)
        {
            throw HttpErrors.Failed("Who we are would be sent over http, where everybody on the way can read it. Use the https address.").At(HttpAddress.Show(address));
        }

        _address = address;
        _options = options;
        _client = HttpClients.Create(address, options);
    }

    /// <summary>Requests that were sent.</summary>
    internal long RequestCount => Interlocked.Read(ref _requests);

    internal HttpFileOptions Options => _options;

    /// <summary>Asks for the file, or a part of it.</summary>
    /// <param name="part">First and last byte; null for all.</param>
    /// <param name="cancellationToken">Ends the waiting, and the reading of the answer.</param>
    /// <exception cref="TransientHttpException">There was no answer, for a reason that may pass.</exception>
    internal async Task<HttpAnswer> GetAsync((long First, long Last)? part, CancellationToken cancellationToken)
    {
        Uri? found = _found;
        HttpAnswer answer = await FollowAsync(found ?? _address, part, cancellationToken).ConfigureAwait(false);
        if (found is not null && (int)answer.Status is 400 or 401 or 403 or 404 or 410)
        {
            // Addresses that servers redirect to are often signed for some minutes; the first one gives another.
            answer.Dispose();
            _found = null;
            answer = await FollowAsync(_address, part, cancellationToken).ConfigureAwait(false);
        }

        return answer;
    }

    public void Dispose() => _client.Dispose();

    /// <summary>Whether an exception tells of a connection, in the words of any of the frameworks.</summary>
    internal static bool IsOfConnection(Exception e)
        => e is HttpRequestException or OperationCanceledException or ObjectDisposedException or WebException or SocketException || (e is IOException and not Qcow2Exception);

    /// <summary>What is at the bottom of an exception, for messages.</summary>
    internal static string CauseOf(Exception e) => PrintableText.Of(e.GetBaseException().Message).TrimEnd('.');

    private async Task<HttpAnswer> FollowAsync(Uri address, (long First, long Last)? part, CancellationToken cancellationToken)
    {
        for (int redirects = 0; ; redirects++)
        {
            HttpAnswer answer = await SendAsync(address, part, cancellationToken).ConfigureAwait(false);
            if ((int)answer.Status is not (301 or 302 or 303 or 307 or 308))
            {
                if ((int)answer.Status is >= 200 and < 300)
                {
                    _found = address == _address ? null : address;
                }

                return answer;
            }

            using (answer)
            {
                if (redirects == _options.MaxRedirects)
                {
                    throw HttpErrors.Failed($"The server redirects again and again; {_options.MaxRedirects} times were followed.");
                }

                address = TargetOf(answer, address);
            }
        }
    }

    private static Uri TargetOf(HttpAnswer answer, Uri from)
    {
        if (answer.Message.Headers.Location is not Uri location || !Uri.TryCreate(from, location, out Uri? target))
        {
            throw HttpErrors.Wrong($"it is a redirect ({answer.StatusText}) that leads nowhere");
        }

        if (HttpAddress.ProblemOf(target) is string problem)
        {
            throw HttpErrors.Failed($"The server redirects elsewhere, which is not followed. {problem}");
        }

        if (HttpAddress.IsEncrypted(from) && !HttpAddress.IsEncrypted(target))
        {
            throw HttpErrors.Failed($"The server redirects from https to {HttpAddress.Show(target)}, where anybody on the way could change what is read. That is not followed; name that address if it is meant.");
        }

        return target;
    }

    private async Task<HttpAnswer> SendAsync(Uri address, (long First, long Last)? part, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        using HttpRequestMessage request = RequestTo(address, part);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_options.ResponseTimeout);
        try
        {
            HttpResponseMessage message = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token).ConfigureAwait(false);
            return new HttpAnswer(message, address, _options.StallTimeout, cancellationToken);
        }
        catch (Exception e) when (IsOfConnection(e))
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw deadline.IsCancellationRequested
                ? new TransientHttpException($"The server {address.Host} did not answer within {_options.ResponseTimeout.TotalSeconds:0.#} seconds", cause: e)
                : FailureOf(e, address);
        }
    }

    private static Exception FailureOf(Exception failure, Uri address)
    {
        for (Exception? e = failure; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case AuthenticationException:
                case WebException { Status: WebExceptionStatus.TrustFailure or WebExceptionStatus.SecureChannelFailure }:
                    return HttpErrors.Failed($"No secure connection to {address.Host} could be made: {CauseOf(failure)}.", failure);
                case SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData }:
                case WebException { Status: WebExceptionStatus.NameResolutionFailure }:
                    return new TransientHttpException($"No server is known by the name {address.Host}", cause: failure) { IsNobodyThere = true };
                case SocketException { SocketErrorCode: SocketError.ConnectionRefused }:
                    return new TransientHttpException($"Nothing answers at {address.Host}, port {address.Port}", cause: failure) { IsNobodyThere = true };
            }
        }

        return new TransientHttpException($"The connection to {address.Host} failed ({CauseOf(failure)})", cause: failure);
    }

    private HttpRequestMessage RequestTo(Uri address, (long First, long Last)? part)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.TryAddWithoutValidation("User-Agent", _options.UserAgent ?? UserAgent);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        if (part is (long first, long last))
        {
            request.Headers.TryAddWithoutValidation("Range", FormattableString.Invariant($"bytes={first}-{last}"));
        }

        if (HttpAddress.IsSameOrigin(address, _address))
        {
            foreach (KeyValuePair<string, string> header in _options.Headers)
            {
                request.Headers.Remove(header.Key);
                request.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }

            if (_options.Authorization is string authorization)
            {
                request.Headers.Remove("Authorization");
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
            }
        }

        return request;
    }

    private static void RequireUsable(string name, string value)
    {
        if (OwnHeaders.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            throw new ArgumentException($"The header '{name}' decides what an answer is, and is set by who reads the file. Leave it out.", nameof(name));
        }

        if (name.Length == 0 || name.Any(c => c <= ' ' || c >= 127 || Separators.Contains(c)) || value.Any(c => c is '\r' or '\n' or '\0'))
        {
            throw new ArgumentException($"'{PrintableText.Of(name)}' is no header that can be sent: its name or its value has characters that headers cannot have.", nameof(name));
        }
    }
}
