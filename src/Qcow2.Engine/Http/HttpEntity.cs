using System.Net.Http;

namespace Qcow2.Engine.Http;

/// <summary>What tells one state of a file on a server from every other: its length, and the marks that the server gives it.</summary>
/// <param name="Length">Length, in bytes.</param>
/// <param name="Tag">The ETag, as it stands in the header; null for none.</param>
/// <param name="Modified">When it changed last, as it stands in the header; null where the server does not say.</param>
internal sealed record HttpEntity(long Length, string? Tag, string? Modified)
{
    /// <summary>Whether anything but the length tells it from others.</summary>
    internal bool IsMarked => Tag is not null || Modified is not null;

    private bool HasStrongTag => Tag is { Length: > 0 } && Tag[0] == '"';

    /// <summary>What an answer says that it is a part of.</summary>
    internal static HttpEntity Of(HttpResponseMessage answer, long length) => new(length, Single(answer.Headers, "ETag"), Single(answer.Content?.Headers, "Last-Modified"));

    /// <summary>What tells another state from this one.</summary>
    /// <returns>As a sentence goes on; null if they are the same.</returns>
    internal string? DifferenceFrom(HttpEntity first)
    {
        if (Length != first.Length)
        {
            return $"it had {first.Length} bytes, and has {Length}";
        }

        bool saysTag = Tag is not null && first.Tag is not null;
        if (saysTag && Tag != first.Tag)
        {
            return "its ETag is another one";
        }

        if (saysTag && HasStrongTag)
        {
            return null; // Servers that share the work may have got it at different times.
        }

        bool saysTime = Modified is not null && first.Modified is not null;
        return saysTime && Modified != first.Modified ? "its time of change is another one"
            : saysTag || saysTime ? null
            : "the server does not say any more which state of it this is";
    }

    private static string? Single(System.Net.Http.Headers.HttpHeaders? headers, string name)
        => headers is not null && headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(",", values).Trim() is { Length: > 0 } value ? value : null : null;
}
