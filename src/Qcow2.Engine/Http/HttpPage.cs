namespace Qcow2.Engine.Http;

/// <summary>A piece of a file that is here, or on its way. Its fields belong to the gate of <see cref="HttpPages"/>.</summary>
/// <param name="index">Its number, from the start of the file.</param>
/// <param name="length">Bytes.</param>
internal sealed class HttpPage(long index, int length)
{
    internal long Index => index;

    internal int Length => length;

    /// <summary>The bytes; null while none has come.</summary>
    internal byte[]? Bytes { get; set; }

    /// <summary>Whether all bytes are here.</summary>
    internal bool IsComplete { get; set; }

    /// <summary>Who copies from it now, so that it cannot be given up.</summary>
    internal int Readers { get; set; }

    /// <summary>The request that brings it; null once it is here.</summary>
    internal HttpFetch? Fetch { get; set; }

    /// <summary>Its place among those that are here, in the order of their last use.</summary>
    internal LinkedListNode<HttpPage>? Use { get; set; }
}

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
