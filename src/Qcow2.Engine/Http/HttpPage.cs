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
