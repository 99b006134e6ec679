using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// How a server speaks TLS: by which certificate clients know it, and which clients it knows by theirs. A server that has this takes no client
/// without TLS (FORCEDTLS in the protocol's words), 1.2 at least.
/// </summary>
public sealed class NbdTls
{
#if NET
    private readonly SslServerAuthenticationOptions _options;
#else
    private readonly X509Certificate2 _certificate;
#endif

    /// <summary>Takes certificates.</summary>
    /// <param name="certificate">The server's, with its private key. Issuers between it and the one that clients trust are looked for in the stores of this computer, never on the network.</param>
    /// <param name="clientAuthorities">
    /// Whose certificates clients must have, for the use as a client's: issuers, of which one at least has issued itself, or certificates of clients that did so. Null lets anybody in
    /// who speaks TLS. Nothing is asked of the network, so nothing is known of what was revoked.
    /// </param>
    /// <exception cref="ArgumentException">The certificate has no private key, or none of the issuers is one that everything can be led back to.</exception>
    /// <exception cref="PlatformNotSupportedException">Certificates of clients, on .NET Framework.</exception>
    public NbdTls(X509Certificate2 certificate, IReadOnlyList<X509Certificate2>? clientAuthorities = null)
    {
        if (!certificate.HasPrivateKey)
        {
            throw new ArgumentException($"The certificate '{certificate.Subject}' has no private key, so that a server cannot prove that it is its own.");
        }

        if (clientAuthorities is not null && !clientAuthorities.Any(IsOfItself))
        {
            throw new ArgumentException("Of the issuers of clients' certificates none has issued itself: one to which all can be led back is needed.");
        }

        Certificate = certificate;
        RequiresClientCertificate = clientAuthorities is not null;
#if NET
        _options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            EncryptionPolicy = EncryptionPolicy.RequireEncryption,
            ClientCertificateRequired = RequiresClientCertificate,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            AllowRenegotiation = false,
            AllowTlsResume = false, // Connections are few and long; who comes again shows its certificate again.
            CertificateChainPolicy = clientAuthorities is null ? null : PolicyFor(clientAuthorities),
        };
#else
        if (RequiresClientCertificate)
        {
            throw new PlatformNotSupportedException("Certificates of clients need .NET, as PowerShell 7 has it: .NET Framework would go to the addresses in any stranger's certificate to look for its issuers.");
        }

        _certificate = certificate;
#endif
    }

    /// <summary>The server's certificate.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>Whether clients must show a certificate.</summary>
    public bool RequiresClientCertificate { get; }

    /// <summary>Agrees with a client on keys, in calls that block; whoever closes the socket ends them.</summary>
    /// <exception cref="AuthenticationException">It came to nothing.</exception>
    /// <exception cref="IOException">The client has left, or the socket was closed.</exception>
    internal SslStream Agree(Socket socket)
    {
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: false));
        try
        {
#if NET
            stream.AuthenticateAsServer(_options);
#else
            stream.AuthenticateAsServer(_certificate, clientCertificateRequired: false, SslProtocols.Tls12, checkCertificateRevocation: false);
#endif
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private static bool IsOfItself(X509Certificate2 certificate) => certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);

#if NET
    private static X509ChainPolicy PolicyFor(IReadOnlyList<X509Certificate2> authorities)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust, // And none that the system trusts.
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true, // A stranger's certificate says where.
        };
        policy.CustomTrustStore.AddRange(authorities.ToArray());
        return policy;
    }
#endif
}
