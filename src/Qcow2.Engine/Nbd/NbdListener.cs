using System.Net;
using System.Net.Sockets;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Nbd;

/// <summary>Where clients of a server connect.</summary>
public sealed class NbdListener : IDisposable
{
    /// <summary>The port that is registered for the protocol.</summary>
    public const int DefaultPort = 10809;

    private const int Backlog = 128;

    /// <summary>
    /// What a Unix socket keeps for a client that has not come for it yet: a few replies, so that neither side is woken for each part of one. Less than
    /// a reply by default. A system may give less than is asked for; TCP finds out by itself what it needs.
    /// </summary>
    private const int SendBufferBytes = 1 << 20;

    private readonly Socket _socket;

    private NbdListener(Socket socket)
    {
        _socket = socket;
        socket.Listen(Backlog);
        socket.Blocking = false; // A client that left before it was let in keeps nobody waiting.
    }

    /// <summary>The address that is listened on; null for a Unix socket.</summary>
    public IPAddress? Address { get; private init; }

    /// <summary>The port that is listened on; null for a Unix socket.</summary>
    public int? Port { get; private init; }

    /// <summary>Full path of the Unix socket; null for TCP.</summary>
    public string? SocketPath { get; private init; }

    /// <summary>Listens on a TCP port.</summary>
    /// <param name="address">The address; <see cref="IPAddress.Loopback"/> for programs of this computer alone.</param>
    /// <param name="port">The port; 0 for any that is free.</param>
    /// <exception cref="IOException">The port is in use, or the address is not one of this computer.</exception>
    public static NbdListener OnTcp(IPAddress address, int port)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.NoDelay = true; // Inherited by the sockets of clients.
            socket.Bind(new IPEndPoint(address, port));
            var bound = (IPEndPoint)socket.LocalEndPoint!;
            return new NbdListener(socket) { Address = bound.Address, Port = bound.Port };
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException(
                e.SocketErrorCode switch
                {
                    SocketError.AddressAlreadyInUse => $"Port {port} of {address} is in use, perhaps by another server.",
                    SocketError.AddressNotAvailable => $"{address} is no address of this computer.",
                    _ => $"Port {port} of {address} cannot be listened on: {e.Message}.",
                },
                e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Listens on a Unix socket that only its owner can connect to. A socket that nobody listens on any more is replaced.</summary>
    /// <param name="path">The socket; a relative path is taken from the process's current directory.</param>
    /// <exception cref="IOException">Something is there that is not a socket, or a server listens there, or the folder does not exist.</exception>
    /// <exception cref="PlatformNotSupportedException">There are no Unix sockets here.</exception>
    public static NbdListener OnUnixSocket(string path)
    {
#if NET
        path = Path.GetFullPath(path);
        if (!Socket.OSSupportsUnixDomainSockets)
        {
            throw NoUnixSockets(path);
        }

        UnixDomainSocketEndPoint place = PlaceOf(path);
        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new DirectoryNotFoundException($"{path}: the folder of the socket does not exist.");
        }

        RemoveAbandoned(path, place);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(place);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite); // Nobody can connect before it listens.
            }

            return new NbdListener(socket) { SocketPath = path };
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException(
                e.SocketErrorCode == SocketError.AddressAlreadyInUse ? $"{path}: something is there already." : $"{path}: no socket can be made here: {e.Message}.", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
#else
        throw NoUnixSockets(Path.GetFullPath(path));
#endif
    }

    /// <summary>Ends listening, and removes the file of a Unix socket.</summary>
    public void Dispose() => _socket.Dispose();

    internal string UriOf(string export, bool hasTls = false)
    {
        string scheme = hasTls ? "nbds" : "nbd";
        string name = string.Join("/", export.Split('/').Select(Uri.EscapeDataString));
        if (SocketPath is not null)
        {
            return $"{scheme}+unix:///{name}?socket={string.Join("/", SocketPath.Split('/').Select(Uri.EscapeDataString))}";
        }

        IPAddress address = Address!;
        string host = address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) ? Dns.GetHostName()
            : address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]"
            : address.ToString();
        return $"{scheme}://{host}:{Port}{(name.Length > 0 ? "/" : "")}{name}";
    }

    /// <summary>Lets the next client in.</summary>
    /// <param name="time">How long to wait for one.</param>
    /// <returns>Null if there was none.</returns>
    internal NbdChannel? TryAccept(TimeSpan time)
    {
        try
        {
            if (!_socket.Poll((int)(time.TotalMilliseconds * 1000), SelectMode.SelectRead))
            {
                return null;
            }

            Socket client = _socket.Accept();
            client.Blocking = true;
            if (SocketPath is null)
            {
                client.NoDelay = true;
                client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true); // Or one whose computer is gone would stay for ever.
            }
            else
            {
                Widen(client);
            }

            return new NbdChannel(client);
        }
        catch (SocketException e)
        {
            if (e.SocketErrorCode != SocketError.WouldBlock)
            {
                Thread.Sleep(time); // Such as when this process has no more files: others may close some.
            }

            return null;
        }
    }

    private static void Widen(Socket client)
    {
        try
        {
            client.SendBufferSize = SendBufferBytes;
        }
        catch (SocketException)
        {
            // Some systems give nothing where they cannot give all of it.
        }
    }

    private static PlatformNotSupportedException NoUnixSockets(string path)
        => new($"{path}: there are no Unix sockets in this PowerShell or on this system; listen on a port of the loopback address.");

#if NET
    private static UnixDomainSocketEndPoint PlaceOf(string path)
    {
        try
        {
            return new UnixDomainSocketEndPoint(path);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new IOException($"{path}: the path is too long for a socket; systems take about 100 bytes.", e);
        }
    }

    private static FileKind KindOf(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            return FileStatus.OfLink(path)?.Kind ?? FileKind.None;
        }

        // There a socket is a reparse point; what else is one is not connected to.
        var file = new FileInfo(path);
        return !file.Exists ? FileKind.None : file.Attributes.HasFlag(FileAttributes.ReparsePoint) ? FileKind.Socket : FileKind.Other;
    }

    private static void RemoveAbandoned(string path, UnixDomainSocketEndPoint place)
    {
        FileKind kind = KindOf(path);
        if (kind == FileKind.None)
        {
            return;
        }

        if (kind != FileKind.Socket)
        {
            throw new IOException($"{path}: something is there that is not a socket.");
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(place);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException e)
        {
            throw new IOException($"{path}: there is a socket that cannot be replaced: {e.Message}.", e);
        }

        throw new IOException($"{path}: another server listens there.");
    }
#endif
}
