using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine.Nbd;
using static Qcow2.Engine.Tests.Nbd.NbdTestClient;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>TLS, and what comes before it (NBD protocol, "TLS support", FORCEDTLS).</summary>
public sealed class NbdTlsTests
{
    private const string StartTls = $"{OptionMagic} 00000005 00000000";
    private const string Acknowledged = $"{ReplyMagic} 00000005 00000001 00000000";

    // A record with the first message of a client that knows TLS 1.1 at most, and of it a half.
    private const string OldHello = "16 0301 0040 01 00003c 0302 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 00 0006 c013 c009 002f 01 00 000d 000a 0004 0002 0017 ff01 0001 00";
    private const string HalfHello = "16 0301 0200 01 0001fc 0303 000102030405060708090a0b0c0d0e0f10111213141516";

    private static readonly X509Certificate2 Certificate = NbdTestCertificates.SelfSigned(NbdTestCertificates.ServerAuthentication);

    public static TheoryData<string, string, string> Options => new()
    {
        // What it is, what the client sends before TLS, what the server answers.
        { "list", $"{OptionMagic} 00000003 00000000", $"{ReplyMagic} 00000003 80000005 00000000" },
        { "abort", $"{OptionMagic} 00000002 00000000", $"{ReplyMagic} 00000002 00000001 00000000 END" },
        { "unknown", $"{OptionMagic} 000003e7 00000003 010203", $"{ReplyMagic} 000003e7 80000005 00000000" },
        { "structured reply", $"{OptionMagic} 00000008 00000000", $"{ReplyMagic} 00000008 80000005 00000000" },
        { "info of the default", $"{OptionMagic} 00000006 00000006 00000000 0000", $"{ReplyMagic} 00000006 80000005 00000000" },
        { "go", $"{OptionMagic} 00000007 00000006 00000000 0000", $"{ReplyMagic} 00000007 80000005 00000000" },
        { "go to another", $"{OptionMagic} 00000007 00000007 00000001 78 0000", $"{ReplyMagic} 00000007 80000005 00000000" },
        { "contexts", $"{OptionMagic} 0000000a 00000008 00000000 00000000", $"{ReplyMagic} 0000000a 80000005 00000000" },
        { "export name", $"{OptionMagic} 00000001 00000000", "END" },
        { "STARTTLS with data", $"{OptionMagic} 00000005 00000001 00", $"{ReplyMagic} 00000005 80000003 00000000" },
        { "too long", $"{OptionMagic} 00000007 00010001 {new string('0', 0x20002)}", $"{ReplyMagic} 00000007 80000005 00000000" },
    };

    [Theory]
    [MemberData(nameof(Options))]
    public void Nothing_goes_without(string what, string sent, string answer)
    {
        using NbdTestServer server = Serve();
        using NbdTestClient client = Greeted(server);
        client.Send(sent);
        client.Expect(answer.Replace("END", "", StringComparison.Ordinal));
        if (answer.EndsWith("END", StringComparison.Ordinal))
        {
            client.ExpectEnd();
        }

        Assert.NotEmpty(what);
        Assert.StartsWith("nbds://", server.Server.Uri, StringComparison.Ordinal);
    }

    /// <summary>A client of the time before options can ask for the disk alone, and must not be told that it needs TLS.</summary>
    [Fact]
    public void A_client_without_options_is_sent_away()
    {
        using NbdTestServer server = Serve();
        using NbdTestClient client = Greeted(server, "00000002");
        client.ExpectEnd();
    }

    [Fact]
    public void Disks_are_read_and_written_through_it()
    {
        using NbdTestServer server = Serve(NbdTestServer.Raw(8 << 20, out MemoryStorage storage, isWritable: true), isWritable: true);
        using NbdTestClient client = Greeted(server);
        client.StartTls();
        Assert.True(client.Tls.SslProtocol >= SslProtocols.Tls12);

        // Not twice, and what follows is as in the open.
        client.Send(StartTls);
        client.Expect($"{ReplyMagic} 00000005 80000003 00000000");
        client.Agree(structured: true, "base:allocation");
        byte[] data = new byte[3_000_001];
        new Random(5).NextBytes(data);
        Assert.Equal(0u, client.Write(1_000_000, data));
        Assert.Equal(data, client.Read(1_000_000, data.Length, out _));
        Assert.Equal(0u, client.Do(4, 0, 65_536));
        Assert.Equal((8u << 20, 0u), Assert.Single(Assert.Single(client.Status(0, 8 << 20)).Value));
        client.Request(2, 0, 0);
        client.ExpectEnd();
        Assert.Equal(data, storage.Content.AsSpan(1_000_000, data.Length).ToArray());
        Assert.Null(server.Server.LastProblem);
    }

    /// <summary>Many requests on their way at once, both ways: threads send and receive side by side.</summary>
    [Fact]
    public async Task Requests_and_replies_pass_each_other()
    {
        using NbdTestServer server = Serve(NbdTestServer.Raw(4 << 20, out MemoryStorage storage, isWritable: true), isWritable: true);
        using NbdTestClient client = Greeted(server);
        client.StartTls();
        client.Agree();
        byte[] expected = storage.Content.ToArray();
        const int Count = 300;
        var random = new Random(9);
        Task sending = Task.Run(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                int offset = i % 60 * 65_536;
                if (i % 3 == 0)
                {
                    client.Request(1, (ulong)offset, 65_536, data: expected.AsSpan(offset, 65_536).ToArray()); // What is there already.
                }
                else
                {
                    client.Request(0, (ulong)offset, (uint)random.Next(1, 65_536), flags: 4); // DF
                }
            }
        });
        for (int i = 0; i < Count; i++)
        {
            (_, ushort type, ulong cookie, byte[] payload) = client.ReceiveChunk();
            int offset = (int)((cookie - 1) % 60 * 65_536);
            Assert.Equal((cookie - 1) % 3 == 0 ? 0 : 1, type);
            Assert.True(type == 0 || payload.AsSpan(8).SequenceEqual(expected.AsSpan(offset, payload.Length - 8)));
        }

        await sending.WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>What was said in the open behind the request for TLS never counts as said through it: the client is cut off.</summary>
    [Theory]
    [InlineData($"{OptionMagic} 00000008 00000000", "")]
    [InlineData($"{OptionMagic} 00000008 00000000 {OptionMagic} 00000001 00000000", "")]
    [InlineData("00", "")]
    [InlineData(OldHello, "")]
    [InlineData("", $"{OptionMagic} 00000008 00000000")]
    [InlineData("", $"{OptionMagic} 00000001 00000000 25609513 0000 0000 0000000000000001 0000000000000000 00000200")]
    public void What_was_said_in_the_open_is_not_taken_for_secret(string behindTheRequest, string behindTheAnswer)
    {
        using NbdTestServer server = Serve();
        using NbdTestClient client = Greeted(server);
        client.Send($"{StartTls} {behindTheRequest}");
        client.Expect(Acknowledged);
        client.Send(behindTheAnswer);
        Assert.ThrowsAny<Exception>(() =>
        {
            client.GoOverToTls();
            client.Agree();
        });
        Assert.Equal(0, server.Server.BytesRead);
        ServesOthers(server);
    }

    [Theory]
    [InlineData("474554202f20485454502f312e310d0a0d0a00000000000000000000000000000000")]
    [InlineData("16 0303 ffff 01")]
    [InlineData("16 0303 0004 01 ffffff")]
    [InlineData("80 2e 01 03 01 00 15 00 00 00 10")]
    [InlineData("15 0303 0002 0100")]
    public void Nonsense_instead_of_a_handshake_ends_it(string nonsense)
    {
        using NbdTestServer server = Serve(options: new NbdServerOptions { HandshakeTimeout = TimeSpan.FromSeconds(0.5) });
        using NbdTestClient client = Greeted(server);
        client.Send(StartTls);
        client.Expect(Acknowledged);
        client.Send(nonsense);
        EndsWithoutData(client);
        NbdTestServer.WaitUntil(() => CanConnect(server)); // If it is quick enough.
        Assert.StartsWith("A client did not come to TLS", server.Server.LastProblem, StringComparison.Ordinal);
    }

    [Fact]
    public void Older_versions_are_refused()
    {
        using NbdTestServer server = Serve();
        using NbdTestClient client = Greeted(server);
        client.Send(StartTls);
        client.Expect(Acknowledged);
        client.Send(OldHello);
        EndsWithoutData(client);
        ServesOthers(server);
    }

    /// <summary>A client that stops in the handshake, or says nothing after it, is sent away after the time that the negotiation may take.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("16")]
    [InlineData(HalfHello)]
    [InlineData(null)]
    public void Half_a_handshake_takes_its_time_and_no_more(string? sent)
    {
        using NbdTestServer server = Serve(options: new NbdServerOptions { HandshakeTimeout = TimeSpan.FromSeconds(0.5) });
        using NbdTestClient client = Greeted(server);
        try
        {
            if (sent is null)
            {
                client.StartTls();
            }
            else
            {
                client.Send(StartTls);
                client.Expect(Acknowledged);
                client.Send(sent);
            }
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // On a busy machine the time was over before.
        }

        client.ExpectEnd();
        NbdTestServer.WaitUntil(() => CanConnect(server)); // If it is quick enough.
    }

    /// <summary>A client that leaves in the middle of it.</summary>
    [Fact]
    public void A_cut_handshake_harms_nobody()
    {
        using NbdTestServer server = Serve();
        foreach (string sent in (string[])["", "16", HalfHello, OldHello])
        {
            using NbdTestClient client = Greeted(server);
            client.Send(StartTls);
            client.Expect(Acknowledged);
            client.Send(sent);
        }

        ServesOthers(server);
        NbdTestServer.WaitUntil(() => server.Server.ClientCount == 0);
    }

    /// <summary>Handshakes that do not go on count as clients: they take no more threads and memory than those, and who comes then is turned away.</summary>
    [Fact]
    public void A_flood_of_half_handshakes_has_the_bounds_of_clients()
    {
        using NbdTestServer server = Serve(options: new NbdServerOptions { MaxClients = 4, HandshakeTimeout = TimeSpan.FromMinutes(5) });
        var held = new List<NbdTestClient>();
        for (int i = 0; i < 4; i++)
        {
            held.Add(Greeted(server));
            held[i].Send(StartTls);
            held[i].Expect(Acknowledged);
            held[i].Send(HalfHello);
        }

        for (int i = 0; i < 300; i++)
        {
            using var more = new NbdTestClient(server.Listener);
            more.ExpectEnd();
        }

        held.ForEach(client => client.Dispose());
        NbdTestServer.WaitUntil(() => CanConnect(server));
    }

    /// <summary>Clients that take no replies and send half of a request give way through TLS, too, when others lack memory, and the server ends in spite of them.</summary>
    [Fact]
    public void Stalled_clients_give_way()
    {
        var options = new NbdServerOptions { MaxBufferBytes = 0, StallTimeout = TimeSpan.FromSeconds(0.3) };
        RawDisk disk = NbdTestServer.Raw(33 << 20, out MemoryStorage storage, isWritable: true);
        using NbdTestServer server = Serve(disk, isWritable: true, options);
        using NbdTestClient deaf = Greeted(server);
        deaf.StartTls();
        deaf.Agree(structured: false);
        deaf.Request(0, 0, 32 << 20);
        using NbdTestClient half = Greeted(server);
        half.StartTls();
        half.Agree();
        half.Request(1, 0, 32 << 20, data: new byte[100]);
        using NbdTestClient good = Greeted(server);
        good.StartTls();
        good.Agree();
        byte[] data = new byte[1 << 20];
        data.AsSpan().Fill(9);
        Assert.Equal(0u, good.Write(0, data));
        Assert.Equal(data, good.Read(0, data.Length, out _));

        using NbdTestClient deaf2 = Greeted(server);
        deaf2.StartTls();
        deaf2.Agree(structured: false);
        deaf2.Request(0, 0, 32 << 20);
        NbdTestServer.WaitUntil(() => server.Server.BytesRead >= 65 << 20);
        var watch = Stopwatch.StartNew();
        server.Server.Stop(TimeSpan.FromSeconds(0.5));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.True(storage.IsDisposed);
    }

    /// <summary>Random bytes in the handshake, in place of records, and through TLS: the next client is served as if nothing had been.</summary>
    [Fact]
    public void Nonsense_harms_nobody()
    {
        var random = new Random(11);
        using NbdTestServer server = Serve(options: new NbdServerOptions { HandshakeTimeout = TimeSpan.FromSeconds(5) });
        for (int round = 0; round < 60; round++)
        {
            using NbdTestClient client = Greeted(server);
            byte[] noise = new byte[random.Next(1, 3000)];
            random.NextBytes(noise);
            try
            {
                if (round % 3 == 0)
                {
                    client.Send(StartTls);
                    client.Expect(Acknowledged);
                    byte[] hello = Bytes(OldHello);
                    hello[random.Next(hello.Length)] ^= (byte)random.Next(1, 256);
                    client.Send(round % 2 == 0 ? hello : noise);
                    continue;
                }

                client.StartTls();
                if (round % 3 == 1)
                {
                    client.Agree();
                }

                if (round % 2 == 0)
                {
                    client.Send(noise);
                }
                else
                {
                    client.Socket.Send(noise);
                }
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // The server has had enough of it.
            }
        }

        ServesOthers(server);
        NbdTestServer.WaitUntil(() => server.Server.ClientCount == 0);
    }

    [Fact]
    public void A_certificate_without_its_key_is_refused()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new NbdTls(NbdTestCertificates.WithoutKey(Certificate)));
        Assert.Contains("no private key", error.Message, StringComparison.Ordinal);
    }

    private static NbdTestServer Serve(RawDisk? disk = null, bool isWritable = false, NbdServerOptions? options = null)
        => new(disk ?? NbdTestServer.Raw(1 << 20, out _), isWritable, options: (options ?? NbdServerOptions.Default) with { Tls = new NbdTls(Certificate) });

    private static NbdTestClient Greeted(NbdTestServer server, string flags = "00000003")
    {
        var client = new NbdTestClient(server.Listener);
        client.Expect(Greeting);
        client.Send(flags);
        return client;
    }

    private static void ServesOthers(NbdTestServer server)
    {
        using NbdTestClient client = Greeted(server);
        client.StartTls();
        client.Agree();
        Assert.NotNull(client.Read(0, 1 << 20, out _));
    }

    private static bool CanConnect(NbdTestServer server)
    {
        try
        {
            ServesOthers(server);
            return true;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    /// <summary>Waits for the end, before which an alert of TLS may come and nothing else.</summary>
    private static void EndsWithoutData(NbdTestClient client)
    {
        var all = new List<byte>();
        byte[] some = new byte[1000];
        try
        {
            for (int count = 1; count > 0 && all.Count < 1000;)
            {
                count = client.Socket.Receive(some);
                all.AddRange(some.Take(count));
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted)
        {
        }

        Assert.True(all.Count == 0 || (all[0] == 0x15 && all.Count == 7), BitConverter.ToString([.. all]));
    }
}
