using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine.Nbd;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>A client that speaks in bytes, so that it can also say what no client should.</summary>
internal sealed class NbdTestClient : IDisposable
{
    internal const string Greeting = "4e42444d41474943 49484156454f5054 0003";
    internal const string OptionMagic = "49484156454f5054";
    internal const string ReplyMagic = "0003e889045565a9";

    private ulong _cookie;
    private SslStream? _tls;

    internal NbdTestClient(NbdListener listener)
    {
#if NET
        if (listener.SocketPath is string path)
        {
            Socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
            Socket.Connect(new UnixDomainSocketEndPoint(path));
            return;
        }
#endif

        Socket = new Socket(listener.Address!.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 30_000, SendTimeout = 30_000, NoDelay = true };
        Socket.Connect(listener.Address, listener.Port!.Value);
    }

    internal Socket Socket { get; }

    internal static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal));

    /// <summary>A client that has agreed with the server.</summary>
    internal static NbdTestClient Connect(NbdListener listener, bool structured = true, params string[] contexts)
    {
        var client = new NbdTestClient(listener);
        client.Expect(Greeting);
        client.Send("00000003");
        client.Agree(structured, contexts);
        return client;
    }

    /// <summary>Agrees with the server after the flags, until requests can be sent.</summary>
    internal void Agree(bool structured = true, params string[] contexts)
    {
        if (structured)
        {
            Send($"{OptionMagic} 00000008 00000000");
            Expect($"{ReplyMagic} 00000008 00000001 00000000");
        }

        if (contexts.Length > 0)
        {
            string queries = string.Concat(contexts.Select(context => $"{context.Length:x8}{Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(context))}"));
            Send($"{OptionMagic} 0000000a {8 + (queries.Length / 2):x8} 00000000 {contexts.Length:x8} {queries}");
            for (int i = 0; i <= contexts.Length; i++)
            {
                ReceiveOptionReply();
            }
        }

        Send($"{OptionMagic} 00000001 00000000");
        Receive(10);
    }

    internal void Send(string hex) => Send(Bytes(hex));

    internal void Send(byte[] bytes)
    {
        if (_tls is not null)
        {
            _tls.Write(bytes, 0, bytes.Length);
        }
        else
        {
            Socket.Send(bytes);
        }
    }

    /// <summary>Asks for TLS, and goes over to it.</summary>
    internal void StartTls(X509Certificate2? certificate = null, SslProtocols protocols = SslProtocols.None)
    {
        Send($"{OptionMagic} 00000005 00000000");
        Expect($"{ReplyMagic} 00000005 00000001 00000000");
        GoOverToTls(certificate, protocols);
    }

    internal void GoOverToTls(X509Certificate2? certificate = null, SslProtocols protocols = SslProtocols.None)
    {
        // Whether clients can trust the certificate is tried with other programs.
#if NET
        _tls = new SslStream(new NetworkStream(Socket), leaveInnerStreamOpen: true, (_, shown, _, _) => shown is not null);
        _tls.AuthenticateAsClient(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            EnabledSslProtocols = protocols,
            ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
        });
#else
        Assert.Null(certificate);
        _tls = new SslStream(new NetworkStream(Socket), leaveInnerStreamOpen: true, (_, shown, _, _) => shown is not null);
        _tls.AuthenticateAsClient("localhost", null, protocols, checkCertificateRevocation: false);
#endif
    }

    /// <summary>What was agreed on with the server's TLS.</summary>
    internal SslStream Tls => _tls!;

    internal byte[] Receive(int count)
    {
        byte[] bytes = new byte[count];
        for (int done = 0; done < count;)
        {
            int received = _tls?.Read(bytes, done, count - done) ?? Socket.Receive(bytes, done, count - done, SocketFlags.None);
            if (received == 0)
            {
                throw new EndOfStreamException($"The server closed the connection after {done} of {count} bytes.");
            }

            done += received;
        }

        return bytes;
    }

    internal void Expect(string hex)
    {
        byte[] expected = Bytes(hex);
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(Receive(expected.Length)));
    }

    /// <summary>Waits for the server to close the connection.</summary>
    internal void ExpectEnd()
    {
        try
        {
            Assert.Equal(0, _tls?.Read(new byte[1], 0, 1) ?? Socket.Receive(new byte[1]));
        }
        catch (IOException) when (_tls is not null)
        {
            // So it looks through TLS.
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted)
        {
            // So it looks where the server had not read all that it was sent.
        }
    }

    internal (uint Type, byte[] Data) ReceiveOptionReply()
    {
        byte[] head = Receive(20);
        return (BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12)), Receive((int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16))));
    }

    /// <summary>Sends a request.</summary>
    /// <returns>Its cookie.</returns>
    internal ulong Request(int command, ulong offset, uint length, int flags = 0, byte[]? data = null)
    {
        byte[] bytes = new byte[28 + (data?.Length ?? 0)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, 0x25609513u);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), (ushort)command);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), ++_cookie);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(24), length);
        data?.CopyTo(bytes.AsSpan(28));
        Send(bytes);
        return _cookie;
    }

    internal (ushort Flags, ushort Type, ulong Cookie, byte[] Payload) ReceiveChunk()
    {
        byte[] head = Receive(20);
        Assert.Equal(0x668e33efu, BinaryPrimitives.ReadUInt32BigEndian(head));
        return (
            BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)),
            BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6)),
            BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)),
            Receive((int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16))));
    }

    /// <summary>Waits for the structured reply to what has no data.</summary>
    /// <returns>The error; 0 for none.</returns>
    internal uint ReceiveResult()
    {
        (ushort flags, ushort type, _, byte[] payload) = ReceiveChunk();
        Assert.Equal(1, flags);
        return type == 0 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(payload);
    }

    /// <summary>Writes, and waits for the reply.</summary>
    internal uint Write(long offset, byte[] data, int flags = 0)
    {
        Request(1, (ulong)offset, (uint)data.Length, flags, data);
        return ReceiveResult();
    }

    /// <summary>Does what has no data, and waits for the reply.</summary>
    internal uint Do(int command, long offset, long length, int flags = 0)
    {
        Request(command, (ulong)offset, (uint)length, flags);
        return ReceiveResult();
    }

    /// <summary>Reads by structured replies, each byte of which is to come once.</summary>
    /// <returns>What was read; null with an error.</returns>
    internal byte[]? Read(long offset, int length, out uint error, int flags = 0)
    {
        ulong cookie = Request(0, (ulong)offset, (uint)length, flags);
        byte[] data = new byte[length];
        data.AsSpan().Fill(0xEE);
        error = 0;
        int covered = 0;
        bool isDone = false;
        while (!isDone)
        {
            (ushort chunkFlags, ushort type, ulong of, byte[] payload) = ReceiveChunk();
            Assert.Equal(cookie, of);
            isDone = chunkFlags == 1;
            if (type == 0x8001)
            {
                error = BinaryPrimitives.ReadUInt32BigEndian(payload);
            }
            else if (type is 1 or 2)
            {
                int start = (int)(BinaryPrimitives.ReadInt64BigEndian(payload) - offset);
                Span<byte> part = type == 1
                    ? payload.AsSpan(8)
                    : new byte[BinaryPrimitives.ReadInt32BigEndian(payload.AsSpan(8))];
                part.CopyTo(data.AsSpan(start, part.Length));
                covered += part.Length;
                Chunks.Add((type, start, part.Length));
            }
        }

        Assert.True(error != 0 || covered == length, $"{covered} of {length} bytes came.");
        return error == 0 ? data : null;
    }

    /// <summary>The chunks that reads have brought: type, place in the request, length.</summary>
    internal List<(ushort Type, int Start, int Length)> Chunks { get; } = [];

    /// <summary>Asks for the status of blocks.</summary>
    internal Dictionary<uint, (uint Length, uint Flags)[]> Status(long offset, long length, int flags = 0)
    {
        Request(7, (ulong)offset, (uint)length, flags);
        var all = new Dictionary<uint, (uint Length, uint Flags)[]>();
        bool isDone = false;
        while (!isDone)
        {
            (ushort chunkFlags, ushort type, _, byte[] payload) = ReceiveChunk();
            Assert.Equal(5, type);
            isDone = chunkFlags == 1;
            all.Add(BinaryPrimitives.ReadUInt32BigEndian(payload), [.. Enumerable.Range(0, (payload.Length - 4) / 8).Select(i => (
                BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(4 + (i * 8))), BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(8 + (i * 8)))))]);
        }

        return all;
    }

    public void Dispose()
    {
        Socket.Dispose();
        _tls?.Dispose();
    }
}
