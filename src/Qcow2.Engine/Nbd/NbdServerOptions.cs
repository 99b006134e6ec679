namespace Qcow2.Engine.Nbd;

/// <summary>How a server treats its clients.</summary>
public sealed record NbdServerOptions
{
    /// <summary>The defaults.</summary>
    public static NbdServerOptions Default { get; } = new();

    /// <summary>Most clients at once; who comes then is turned away. 64 by default.</summary>
    public int MaxClients { get; init; } = 64;

    /// <summary>How long a client may take to say what it wants. 10 seconds by default.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may keep a message from going on while others lack memory. 10 seconds by default.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Most memory for data on their way, of all clients together, in bytes; 256 MiB by default, and never less than one request of the largest
    /// size takes.
    /// </summary>
    public long MaxBufferBytes { get; init; } = 256L << 20;

    /// <summary>Most requests of one client that are done at once.</summary>
    public int MaxRequestsPerClient { get; init; } = Math.Max(4, Math.Min(16, Environment.ProcessorCount));

    /// <summary>How clients are spoken with through TLS; null, the default, for a server without it.</summary>
    public NbdTls? Tls { get; init; }

    /// <summary>Whether the server ends when the last client has left.</summary>
    public bool StopAfterLastClient { get; init; }
}
