using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine;
using Qcow2.Engine.Nbd;

namespace Qcow2.Benchmarks;

/// <summary>A server, to be measured beside qemu-nbd.</summary>
internal static class NbdCommands
{
    /// <summary>Serves an image until the last client has left.</summary>
    internal static void Serve(string image, string socket, string? certificates)
    {
        NbdTls? tls = certificates is null ? null : new NbdTls(X509Certificate2.CreateFromPemFile(Path.Combine(certificates, "server-cert.pem"), Path.Combine(certificates, "server-key.pem")));
        VirtualDisk disk = (DiskFormats.Recognize(image).Mark ?? DiskFormats.Raw).Open(image);
        using NbdServer server = NbdServer.Start(NbdListener.OnUnixSocket(socket), new NbdExport(disk), new NbdServerOptions { StopAfterLastClient = true, Tls = tls });
        server.WaitForEnd(Timeout.InfiniteTimeSpan);
    }
}
