using System.Net;
using System.Net.Http;

namespace Qcow2.Engine.Http;

/// <summary>Makes the client that requests go through: the one place where frameworks differ.</summary>
internal static class HttpClients
{
    /// <summary>Ways of saying who we are that servers ask for.</summary>
    private static readonly string[] AskedFor = ["Basic", "Digest", "NTLM", "Negotiate"];

    /// <summary>Those of them in which the user of this process can be named.</summary>
    private static readonly string[] OfThisUser = ["NTLM", "Negotiate"];

    internal static HttpClient Create(Uri address, HttpFileOptions options)
    {
        // Redirects are followed by who knows what may go along. The bytes of a file have places in it only as they are, so nothing is to be unpacked on the way.
        var handler = new HttpClientHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseDefaultCredentials = false,
            MaxConnectionsPerServer = options.MaxRequests + 2,
            UseProxy = options.UseProxy,
            Credentials = CredentialsFor(address, options),
            PreAuthenticate = options.Credential is not null,
        };
        if (options.UseProxy && options.Proxy is not null)
        {
            handler.Proxy = options.Proxy;
        }

        if (options.SkipCertificateCheck)
        {
            handler.ServerCertificateCustomValidationCallback = static (_, _, _, _) => true;
        }

#if !NET
        TakeCurrentProtocols(handler);
#endif
        return new HttpClient(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>They are bound to the server that the address names, so that no other one gets them, wherever a redirect leads.</summary>
    private static CredentialCache? CredentialsFor(Uri address, HttpFileOptions options)
    {
        if (options.Credential is null && !options.UseDefaultCredentials)
        {
            return null;
        }

        var server = new Uri(address.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped));
        var cache = new CredentialCache();
        foreach (string way in options.Credential is null ? OfThisUser : AskedFor)
        {
            cache.Add(server, way, options.Credential ?? CredentialCache.DefaultNetworkCredentials);
        }

        return cache;
    }

#if !NET
    /// <summary>Windows PowerShell may still begin with protocols that no server takes any more; what the system or the user has chosen stays.</summary>
    private static void TakeCurrentProtocols(HttpClientHandler handler)
    {
        const SecurityProtocolType SystemDefault = 0;
        SecurityProtocolType chosen = ServicePointManager.SecurityProtocol;
        if (chosen == SystemDefault || chosen.HasFlag(SecurityProtocolType.Tls12))
        {
            return;
        }

        try
        {
            handler.SslProtocols = System.Security.Authentication.SslProtocols.Tls12;
        }
        catch (PlatformNotSupportedException)
        {
            // The process's own choice counts then.
        }
    }
#endif
}
