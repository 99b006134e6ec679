using System.Net;

namespace Qcow2.Engine.Http;

/// <summary>How a file is read over HTTP.</summary>
public sealed record HttpFileOptions
{
    /// <summary>The defaults: the system's proxy, no credentials, five retries.</summary>
    public static HttpFileOptions Default { get; } = new();

    /// <summary>
    /// Headers that every request has. They go to the server that the address names, and after a redirect to no other one: any of them may be a secret.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>What the header <c>User-Agent</c> says; null for none.</summary>
    public string? UserAgent { get; init; }

    /// <summary>What the header <c>Authorization</c> says, which goes to the server that the address names and to no other; null for none.</summary>
    public string? Authorization { get; init; }

    /// <summary>Who we are when the server that the address names asks for it; null for nobody.</summary>
    public NetworkCredential? Credential { get; init; }

    /// <summary>Whether the user of this process is who we are when the server that the address names asks for it.</summary>
    public bool UseDefaultCredentials { get; init; }

    /// <summary>Whether who we are may be said over <c>http</c>, where everybody on the way can read it.</summary>
    public bool AllowUnencryptedAuthentication { get; init; }

    /// <summary>Whether a proxy is used at all. True by default.</summary>
    public bool UseProxy { get; init; } = true;

    /// <summary>The proxy; null for the system's.</summary>
    public IWebProxy? Proxy { get; init; }

    /// <summary>Whether any certificate of a server is taken, which lets whoever is on the way change what is read.</summary>
    public bool SkipCertificateCheck { get; init; }

    /// <summary>How often a request is repeated that failed for a reason that may pass, without much having come in between. 5 by default.</summary>
    public int MaxRetryCount { get; init; } = 5;

    /// <summary>The pause before the first repetition; each further one is twice as long, up to 30 seconds or this. One second by default.</summary>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may take to begin its answer, the connection included. 60 seconds by default.</summary>
    public TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long nothing may come in the midst of an answer. 30 seconds by default.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most requests at once, 1 to 64. 8 by default.</summary>
    public int MaxRequests { get; init; } = 8;

    /// <summary>Most memory for what was read, in bytes, 4 MiB at least. 64 MiB by default.</summary>
    public long CacheSize { get; init; } = 64L << 20;

    /// <summary>Most redirects that lead from the address to the file. 10 by default.</summary>
    public int MaxRedirects { get; init; } = 10;
}
