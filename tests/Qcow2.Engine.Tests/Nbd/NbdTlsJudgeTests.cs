using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine.Nbd;
using Qcow2.Tests;
using static Qcow2.Engine.Tests.Nbd.NbdTestCertificates;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>What other programs make of the server's TLS, which is that of GnuTLS: libnbd's and QEMU's.</summary>
public sealed class NbdTlsJudgeTests
{
    [QemuTheory("nbdinfo", "nbdcopy", "bash")]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void Other_programs_use_it(bool onUnixSocket, bool knowsClients)
    {
        using var folder = new TempFolder();
        X509Certificate2 authority = Authority();
        string known = Folder(folder, "known", authority, Issue(authority, ClientAuthentication));
        string unknown = Folder(folder, "unknown", authority, null);
        string distrustful = Folder(folder, "distrustful", Authority("Another"), null);
        string raw = folder.File("disk.raw");
        byte[] content = new byte[4 << 20];
        new Random(1).NextBytes(content.AsSpan(1 << 20, 1 << 20));
        File.WriteAllBytes(raw, content);

        NbdListener listener = onUnixSocket ? NbdListener.OnUnixSocket(folder.File("s")) : NbdListener.OnTcp(IPAddress.Loopback, 0);
        var options = new NbdServerOptions { Tls = new NbdTls(Issue(authority, ServerAuthentication), knowsClients ? [authority] : null) };
        RawDisk disk = RawDisk.Open(raw, new Qcow2OpenOptions { Writable = true });
        using NbdServer server = NbdServer.Start(listener, new NbdExport(disk, "disk", isWritable: true), options);
        string uri = server.Uri;
        string with = $"{uri}{(onUnixSocket ? "&" : "?")}tls-certificates=";

        Assert.Contains("\"export-size\": 4194304", Sh($"nbdinfo --json '{with}{known}'"), StringComparison.Ordinal);
        Assert.Contains("\"TLS\": true", Sh($"nbdinfo --json '{with}{known}'"), StringComparison.Ordinal);
        Assert.Contains("0     4194304    0", Sh($"nbdinfo --map '{with}{known}'"), StringComparison.Ordinal);
        string copy = folder.File("copy.raw");
        Sh($"nbdcopy '{with}{known}' {copy}");
        Assert.Equal(content, File.ReadAllBytes(copy));

        // As an image that QEMU is given.
        string[] credentials = ["--object", $"tls-creds-x509,id=tls0,endpoint=client,dir={known}", "--image-opts"];
        string place = onUnixSocket ? $"file.server.type=unix,file.server.path={listener.SocketPath},file.tls-hostname=localhost" : $"file.server.type=inet,file.server.host=127.0.0.1,file.server.port={listener.Port}";
        string image = $"driver=raw,file.driver=nbd,{place},file.export=disk,file.tls-creds=tls0";
        QemuImg.Run(["compare", .. credentials, image, $"driver=raw,file.driver=file,file.filename={copy}"]);
        QemuImg.RunIo([.. credentials, image, "-c", "write -P 7 1000 70000", "-c", "write -z 2M 1M", "-c", "flush", "-c", "read -P 7 1000 70000"]);
        byte[] written = new byte[1];
        disk.Read(1000, written);
        Assert.Equal(7, written[0]);

        // Who does not trust the server, or is not trusted, or comes without TLS, gets nothing; and those that do are served after that.
        Assert.Equal(onUnixSocket, Exit($"nbdinfo '{with}{distrustful}'") == 0); // On a Unix socket libnbd has no name to hold against the certificate, and looks no further.
        Assert.NotEqual(0, Exit($"nbdinfo '{uri.Replace("nbds", "nbd", StringComparison.Ordinal)}'"));
        Assert.Equal(knowsClients, Exit($"nbdcopy '{with}{unknown}' {copy}") != 0);
        Sh($"nbdinfo '{with}{known}'");
        Assert.Equal(!onUnixSocket, server.LastProblem is not null);
    }

    private static string Folder(TempFolder folder, string name, X509Certificate2 authority, X509Certificate2? client)
    {
        string path = Path.GetDirectoryName(folder.File($"{name}/ca-cert.pem"))!;
        File.WriteAllText(Path.Combine(path, "ca-cert.pem"), authority.ExportCertificatePem());
        if (client is not null)
        {
            using ECDsa key = client.GetECDsaPrivateKey()!;
            File.WriteAllText(Path.Combine(path, "client-cert.pem"), client.ExportCertificatePem());
            File.WriteAllText(Path.Combine(path, "client-key.pem"), key.ExportPkcs8PrivateKeyPem());
        }

        return path;
    }

    private static string Sh(string command) => Shell.Run("bash", "-c", command);

    private static int Exit(string command)
    {
        using Process process = Process.Start(new ProcessStartInfo("bash", ["-c", $"{command} > /dev/null 2>&1"]))!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
