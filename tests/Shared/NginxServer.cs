using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Qcow2.Tests;

/// <summary>nginx, which half of the files in the world come from: on a free port of loopback, as this user, with all it writes in a folder of its own.</summary>
public sealed class NginxServer : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Process _process;

    /// <param name="location">What its configuration says of the files, such as <c>limit_rate 1m;</c>.</param>
    /// <param name="server">What it says beside that: certificates, for one, which lie in the folder.</param>
    /// <param name="scheme"><c>http</c> or <c>https</c>.</param>
    /// <param name="prepare">Puts into the folder what the configuration names.</param>
    public NginxServer(string location = "", string server = "", string scheme = "http", Action<TempFolder>? prepare = null)
    {
        prepare?.Invoke(_folder);
        Port = FreePort();
        Scheme = scheme;
        _folder.File("files/x"); // Makes the folder.
        string temporary = string.Join("\n", new[] { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" }.Select(kind => $"{kind}_temp_path {_folder.Path}/temporary-{kind};"));
        File.WriteAllText(_folder.File("nginx.conf"), $$"""
            daemon off;
            master_process off;
            pid {{_folder.Path}}/pid;
            error_log {{_folder.Path}}/error.log;
            events { worker_connections 200; }
            http {
                access_log {{_folder.Path}}/access.log;
                {{temporary}}
                server {
                    listen 127.0.0.1:{{Port}}{{(scheme == "https" ? " ssl" : "")}};
                    root {{_folder.Path}}/files;
                    {{server.Replace("FOLDER", _folder.Path)}}
                    location / { {{location.Replace("FOLDER", _folder.Path)}} }
                }
            }
            """);
        _process = Process.Start(new ProcessStartInfo("nginx", ["-e", $"{_folder.Path}/error.log", "-p", _folder.Path, "-c", $"{_folder.Path}/nginx.conf"]) { RedirectStandardError = true })!;
        WaitForIt();
    }

    public int Port { get; }

    public string Scheme { get; }

    /// <summary>What it wrote of each request.</summary>
    public string[] Log => File.Exists(_folder.File("access.log")) ? File.ReadAllLines(_folder.File("access.log")) : [];

    public Uri Address(string name) => new($"{Scheme}://127.0.0.1:{Port}/{name}");

    /// <summary>Where a file of the server lies.</summary>
    public string PathOf(string name) => _folder.File($"files/{name}");

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _folder.Dispose();
    }

    private static int FreePort()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        return port;
    }

    private void WaitForIt()
    {
        for (int i = 0; i < 100; i++)
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException($"nginx ended: {_process.StandardError.ReadToEnd()}");
            }

            try
            {
                using var client = new TcpClient();
                client.Connect(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException)
            {
                Thread.Sleep(20);
            }
        }

        throw new TimeoutException("nginx does not listen.");
    }
}
