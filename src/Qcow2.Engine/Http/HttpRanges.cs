using System.Net.Http.Headers;

namespace Qcow2.Engine.Http;

/// <summary>
/// Parts of one state of one file. The first answer says which state that is; each other one must be of the same, from first to last byte what was asked for, or nothing of it is taken.
/// </summary>
/// <param name="exchange">Sends the requests.</param>
internal sealed class HttpRanges(HttpExchange exchange)
{
    /// <summary>Longer is no disk that anybody has; sums of offsets stay far from the largest number.</summary>
    private const long LongestFile = 1L << 60;

    private HttpEntity? _entity;

    /// <summary>What is read.</summary>
    internal HttpEntity Entity => _entity ?? throw new InvalidOperationException("Nothing was asked for yet.");

    /// <summary>Asks for the first bytes, and with them what the file is.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The bytes to come; null of an empty file.</returns>
    /// <exception cref="Qcow2Exception">There is no such file, or it cannot be read in parts.</exception>
    internal async Task<HttpAnswer?> BeginAsync(int length, CancellationToken cancellationToken)
    {
        HttpAnswer answer = await exchange.GetAsync((0, length - 1), cancellationToken).ConfigureAwait(false);
        HttpAnswer? kept = null;
        try
        {
            _entity = Identify(answer, length);
            return kept = _entity.Length == 0 ? null : answer;
        }
        finally
        {
            if (kept is null)
            {
                answer.Dispose();
            }
        }
    }

    /// <summary>Asks for a part.</summary>
    /// <param name="first">The first byte.</param>
    /// <param name="last">The last byte.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The bytes to come, which are of the file as it was at the beginning.</returns>
    /// <exception cref="Qcow2Exception">The file is another one by now, or the answer is not what was asked for.</exception>
    internal async Task<HttpAnswer> GetAsync(long first, long last, CancellationToken cancellationToken)
    {
        HttpAnswer answer = await exchange.GetAsync((first, last), cancellationToken).ConfigureAwait(false);
        try
        {
            Require(answer, first, last);
            return answer;
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    private static HttpEntity Identify(HttpAnswer answer, int length)
    {
        ContentRangeHeaderValue? range = answer.Message.Content?.Headers.ContentRange;
        switch ((int)answer.Status)
        {
            case 200 when answer.BodyLength == 0:
            case 416 when range is { HasLength: true, Length: 0 }:
                return HttpEntity.Of(answer.Message, 0);
            case 200:
                throw HttpErrors.NoRanges("The server gives this file as a whole only (no range requests).");
            case 206:
                break;
            case 416:
                throw HttpErrors.Wrong("it refuses the first bytes of a file that is not empty");
            default:
                throw answer.Failure();
        }

        if (range is { HasLength: false })
        {
            throw HttpErrors.NoRanges("The server does not say how long this file is.");
        }

        answer.RequirePlain();
        long total = range?.Length ?? throw HttpErrors.Wrong("it does not say which part of the file it is");
        if (total is <= 0 or > LongestFile)
        {
            throw HttpErrors.Wrong($"the file is said to have {total} bytes");
        }

        RequireExact(answer, range, 0, Math.Min(length, total) - 1);
        HttpEntity entity = HttpEntity.Of(answer.Message, total);
        return entity.IsMarked ? entity : throw HttpErrors.NoRanges(
            "The server says neither an ETag nor a time of change of this file, so that nobody would notice if it changed between two parts.");
    }

    private void Require(HttpAnswer answer, long first, long last)
    {
        ContentRangeHeaderValue? range = answer.Message.Content?.Headers.ContentRange;
        switch ((int)answer.Status)
        {
            case 206:
                break;
            case 200:
                throw HttpEntity.Of(answer.Message, answer.BodyLength ?? Entity.Length).DifferenceFrom(Entity) is string change
                    ? HttpErrors.Changed(change)
                    : HttpErrors.NoRanges("The server gave parts of this file, and gives it as a whole only now.");
            case 412:
                throw HttpErrors.Changed("the server says so");
            case 416:
                throw HttpErrors.Changed(range is { HasLength: true, Length: long now } ? $"it had {Entity.Length} bytes, and has {now}" : "it is shorter than it was");
            default:
                throw answer.Failure();
        }

        if (HttpEntity.Of(answer.Message, range?.Length ?? Entity.Length).DifferenceFrom(Entity) is string difference)
        {
            throw HttpErrors.Changed(difference);
        }

        answer.RequirePlain();
        RequireExact(answer, range, first, last);
    }

    private static void RequireExact(HttpAnswer answer, ContentRangeHeaderValue? range, long first, long last)
    {
        if (range is null || !string.Equals(range.Unit, "bytes", StringComparison.OrdinalIgnoreCase) || range.From != first || range.To != last)
        {
            throw HttpErrors.Wrong($"the bytes {first} to {last} were asked for, and it says that it is {(range is null ? "no part" : $"the {range.Unit} {range.From} to {range.To}")} of the file");
        }

        if (answer.BodyLength is long length && length != last - first + 1)
        {
            throw HttpErrors.Wrong($"of {last - first + 1} bytes it says that it has {length}");
        }
    }
}
