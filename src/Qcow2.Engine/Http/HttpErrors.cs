using System.Net;
using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Http;

/// <summary>What can be wrong between a server and us. No message has a secret: addresses are shown by <see cref="HttpAddress.Show"/>.</summary>
internal static class HttpErrors
{
    /// <summary>The server refused, or could not be reached.</summary>
    internal static Qcow2Exception Failed(string message, Exception? cause = null) => new(Qcow2ErrorCode.HttpRequestFailed, message, cause);

    /// <summary>The server does not give parts of the file, or not so that they are known to be of one file.</summary>
    internal static Qcow2Exception NoRanges(string reason)
        => new(Qcow2ErrorCode.RangesNotSupported, $"{reason} An image is read in parts, so it has to be downloaded as a whole first.");

    /// <summary>The file is not the one any more of which parts were read.</summary>
    internal static Qcow2Exception Changed(string what) => new(
        Qcow2ErrorCode.SourceChanged, $"The file changed on the server while it was read: {what}. What was read so far and what is there now must not be mixed, so begin anew.");

    /// <summary>The answer contradicts itself or the question.</summary>
    internal static Qcow2Exception Wrong(string what) => Failed($"The server's answer is not to be trusted: {what}.");

    /// <summary>Another status than those that answer the question.</summary>
    internal static Qcow2Exception Status(HttpStatusCode status, string? phrase) => Failed((int)status switch
    {
        401 => $"The server wants to know who asks ({Text(status, phrase)}).",
        403 => $"The server does not let us read the file ({Text(status, phrase)}). Of a signed address the time may be over.",
        404 or 410 => $"There is no such file on the server ({Text(status, phrase)}).",
        407 => $"The proxy wants to know who asks ({Text(status, phrase)}).",
        _ => $"The server answers {Text(status, phrase)}.",
    });

    internal static string Text(HttpStatusCode status, string? phrase)
    {
        string text = $"{(int)status} {PrintableText.Of(phrase ?? "")}".TrimEnd();
        return text.Length <= 100 ? text : text.Substring(0, 100);
    }
}

/// <summary>What failed for a reason that may pass.</summary>
/// <param name="reason">What failed, as a sentence without its end.</param>
/// <param name="wait">How long the server wants to be left alone; null where it does not say.</param>
/// <param name="cause">What it was.</param>
internal sealed class TransientHttpException(string reason, TimeSpan? wait = null, Exception? cause = null) : Exception(reason, cause)
{
    internal TimeSpan? Wait => wait;

    /// <summary>Whether nobody answers at that place at all, as where the address has a mistake in it.</summary>
    internal bool IsNobodyThere { get; init; }
}
