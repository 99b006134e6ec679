using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine.Http;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Http;

/// <summary>A real server: nginx on loopback.</summary>
public sealed class HttpJudgeTests
{
    private static readonly HttpFileOptions Quick = new() { UseProxy = false, RetryInterval = TimeSpan.FromMilliseconds(1) };

    [ToolTheory("nginx")]
    [InlineData("")]
    [InlineData("limit_rate 2m;")]
    [InlineData("gzip on; gzip_types *; gzip_min_length 1;")]
    [InlineData("etag off;")]
    [InlineData("keepalive_timeout 0;")]
    public void Is_read_whatever_the_server_is_set_to(string location)
    {
        using var server = new NginxServer(location);
        byte[] content = Put(server, 1_500_000);
        using HttpFile file = HttpFile.Open(server.Address("disk.img"), Quick);
        byte[] read = new byte[content.Length];
        Assert.Equal(read.Length, file.Read(0, read));
        Assert.Equal(content, read);
        Assert.Equal(content.Length, file.BytesReceived);
        Assert.All(server.Log, line => Assert.Contains("\" 206 ", line, StringComparison.Ordinal));
    }

    [ToolTheory("nginx")]
    [InlineData("")]
    [InlineData("etag off;")]
    public void Notices_a_file_that_is_replaced(string location)
    {
        using var server = new NginxServer(location);
        byte[] content = Put(server, 1_500_000);
        using HttpFile file = HttpFile.Open(server.Address("disk.img"), Quick);
        File.WriteAllBytes(server.PathOf("new.img"), content);
        File.SetLastWriteTimeUtc(server.PathOf("new.img"), DateTime.UtcNow.AddMinutes(1));
        File.Move(server.PathOf("new.img"), server.PathOf("disk.img"), overwrite: true);
        Assert.Equal(Qcow2ErrorCode.SourceChanged, Assert.Throws<Qcow2Exception>(() => file.Read(1_000_000, new byte[1])).Code);
    }

    [ToolTheory("nginx")]
    [InlineData(true)]
    [InlineData(false)]
    public void Downloads_where_there_are_no_parts(bool mayDownload)
    {
        using var folder = new TempFolder();
        using var server = new NginxServer("max_ranges 0;");
        byte[] content = Put(server, 300_000);
        if (!mayDownload)
        {
            Assert.Equal(Qcow2ErrorCode.RangesNotSupported, Assert.Throws<Qcow2Exception>(() => HttpSource.Open(server.Address("disk.img"), Quick)).Code);
            return;
        }

        using HttpSource source = HttpSource.Open(server.Address("disk.img"), Quick, downloadFolder: folder.Path);
        byte[] read = new byte[content.Length];
        using Engine.Storage.BlockStorage bytes = source.Borrow();
        bytes.Read(0, read);
        Assert.Equal(content, read);
    }

    [ToolTheory("nginx")]
    [InlineData(true)]
    [InlineData(false)]
    public void Says_who_asks(bool isKnown)
    {
        using var server = new NginxServer(
            "auth_basic x; auth_basic_user_file FOLDER/users;", prepare: folder => folder.Write("users", "me:{PLAIN}word\n"u8));
        Put(server, 200_000);
        HttpFileOptions options = Quick with { Credential = new NetworkCredential("me", isKnown ? "word" : "wrong"), AllowUnencryptedAuthentication = true };
        if (!isKnown)
        {
            Assert.Contains("(401 Unauthorized)", Assert.Throws<Qcow2Exception>(() => HttpFile.Open(server.Address("disk.img"), options)).Message, StringComparison.Ordinal);
            return;
        }

        using HttpFile file = HttpFile.Open(server.Address("disk.img"), options);
        Assert.Equal(100, file.Read(150_000, new byte[100]));
        Assert.Single(server.Log, line => line.Contains("\" 401 ", StringComparison.Ordinal)); // Once said, it is said with each request.
    }

    [ToolTheory("nginx")]
    [InlineData(true)]
    [InlineData(false)]
    public void Trusts_no_certificate_that_it_does_not_know(bool isSkipped)
    {
        using var server = new NginxServer(
            server: "ssl_certificate FOLDER/certificate.pem; ssl_certificate_key FOLDER/key.pem; location /down { return 302 http://127.0.0.1/disk.img; }", scheme: "https", prepare: MakeCertificate);
        byte[] content = Put(server, 200_000);
        HttpFileOptions options = Quick with { SkipCertificateCheck = isSkipped };
        if (!isSkipped)
        {
            Assert.Contains("No secure connection to 127.0.0.1 could be made", Assert.Throws<Qcow2Exception>(() => HttpFile.Open(server.Address("disk.img"), options)).Message, StringComparison.Ordinal);
            return;
        }

        using HttpFile file = HttpFile.Open(server.Address("disk.img"), options);
        byte[] read = new byte[1000];
        file.Read(150_000, read);
        Assert.Equal(content.AsSpan(150_000, 1000).ToArray(), read);
        Assert.Contains("redirects from https to http://127.0.0.1/disk.img", Assert.Throws<Qcow2Exception>(() => HttpFile.Open(server.Address("down"), options)).Message, StringComparison.Ordinal);
    }

    private static byte[] Put(NginxServer server, int length)
    {
        byte[] content = new byte[length];
        new Random(4).NextBytes(content.AsSpan(0, length / 2)); // The other half could be compressed.
        File.WriteAllBytes(server.PathOf("disk.img"), content);
        return content;
    }

    private static void MakeCertificate(TempFolder folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(folder.File("certificate.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(folder.File("key.pem"), key.ExportPkcs8PrivateKeyPem());
    }
}
