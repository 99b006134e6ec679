using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine.Nbd;
using static Qcow2.Engine.Tests.Nbd.NbdTestCertificates;
using static Qcow2.Engine.Tests.Nbd.NbdTestClient;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>Clients that a server knows by their certificates, and those that it does not.</summary>
public sealed class NbdClientCertificateTests
{
    private static readonly X509Certificate2 Ours = Authority("Ours");
    private static readonly X509Certificate2 Server = Issue(Ours, ServerAuthentication);

    [Fact]
    public void Clients_are_those_of_the_issuer()
    {
        Assert.True(IsTaken(Issue(Ours, ClientAuthentication, "backup"), Ours));
        Assert.False(IsTaken(null, Ours));
        Assert.False(IsTaken(SelfSigned(ClientAuthentication), Ours));
        Assert.False(IsTaken(Issue(Authority("Another"), ClientAuthentication), Ours));
        Assert.False(IsTaken(Issue(Authority("Ours"), ClientAuthentication), Ours)); // Another of the same name.
        Assert.False(IsTaken(Issue(Ours, ServerAuthentication), Ours));
        Assert.False(IsTaken(Issue(Ours, ClientAuthentication, daysLeft: -1), Ours));
    }

    /// <summary>A certificate that does not say that it may issue others has issued nobody, also where it stands among the issuers.</summary>
    [Fact]
    public void Who_may_not_issue_has_issued_nobody()
    {
        X509Certificate2 middle = Issue(Ours, ClientAuthentication, "no issuer");
        Assert.True(IsTaken(middle, Ours, middle));
        Assert.False(IsTaken(IssueByAny(middle), Ours, middle));
    }

    /// <summary>A stranger's certificate says where its issuer's is; nobody goes there.</summary>
    [Fact]
    public void Nothing_is_fetched_to_judge_a_certificate()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string address = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/issuer.cer";
        Assert.False(IsTaken(IssueByAny(Authority("Somebody"), new X509AuthorityInformationAccessExtension(null, [address])), Ours));
        Assert.False(listener.Pending());
    }

    /// <summary>A certificate that nobody else has issued can be named itself.</summary>
    [Fact]
    public void One_client_can_be_named()
    {
        X509Certificate2 client = SelfSigned(ClientAuthentication, "one");
        Assert.True(IsTaken(client, WithoutKey(client)));
        Assert.False(IsTaken(SelfSigned(ClientAuthentication, "one"), client));
    }

    [Fact]
    public void Some_issuer_must_be_the_first()
    {
        Assert.Contains("has issued itself", Assert.Throws<ArgumentException>(() => new NbdTls(Server, [])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new NbdTls(Server, [Server]));
        Assert.True(new NbdTls(Server, [Server, Ours]).RequiresClientCertificate);
        Assert.False(new NbdTls(Server).RequiresClientCertificate);
    }

    private static bool IsTaken(X509Certificate2? certificate, params X509Certificate2[] authorities)
    {
        using var server = new NbdTestServer(NbdTestServer.Raw(65_536, out _), options: new NbdServerOptions { Tls = new NbdTls(Server, authorities) });
        using var client = new NbdTestClient(server.Listener);
        client.Expect(Greeting);
        client.Send("00000003");
        try
        {
            client.StartTls(certificate);
            client.Agree(); // In TLS 1.3 a client is through with the handshake before the server has seen its certificate.
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            NbdTestServer.WaitUntil(() => server.Server.LastProblem is not null);
            Assert.Equal(0, server.Server.ClientCount);
            return false;
        }

        Assert.NotNull(client.Read(0, 65_536, out _));
        return true;
    }

    /// <summary>What the class of .NET that issues certificates would refuse to do.</summary>
    private static X509Certificate2 IssueByAny(X509Certificate2 issuer, X509Extension? extension = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=below", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ClientAuthentication)], critical: false));
        if (extension is not null)
        {
            request.CertificateExtensions.Add(extension);
        }

        using ECDsa above = issuer.GetECDsaPrivateKey()!;
        using X509Certificate2 certificate = request.Create(issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(above), DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(0.5), [1, 2, 3]);
        return certificate.CopyWithPrivateKey(key);
    }
}
