namespace Qcow2.Engine.Http;

/// <summary>A request for pages that follow each other.</summary>
/// <param name="first">The first byte.</param>
/// <param name="end">The byte after the last one.</param>
internal sealed class HttpFetch(long first, long end)
{
    /// <summary>The byte that comes next; whatever came before a cut is not asked for again.</summary>
    internal long Position { get; set; } = first;

    /// <summary>The byte after the last one; it moves while the request waits for its turn.</summary>
    internal long End { get; set; } = end;

    /// <summary>Whether somebody waits for it; others are for later.</summary>
    internal bool IsUrgent { get; set; }

    /// <summary>Its place among those that wait for their turn; null once it is under way.</summary>
    internal LinkedListNode<HttpFetch>? Turn { get; set; }
}
