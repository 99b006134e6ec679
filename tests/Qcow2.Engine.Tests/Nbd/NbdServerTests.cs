using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Qcow2.Engine.Nbd;
using Qcow2.Tests;
using static Qcow2.Engine.Tests.Nbd.NbdTestServer;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>The life of a server: clients that come and go or mean no good, and its end.</summary>
public sealed class NbdServerTests
{
    [Fact]
    public void It_closes_the_disk_when_it_is_stopped()
    {
        RawDisk disk = NbdTestServer.Raw(65_536, out MemoryStorage storage);
        var server = new NbdTestServer(disk);
        using NbdTestClient client = server.Connect();
        server.Server.Stop(TimeSpan.FromSeconds(5));
        client.ExpectEnd();
        Assert.True(storage.IsDisposed);
        Assert.True(server.Server.HasEnded);
        Assert.Throws<SocketException>(() => new NbdTestClient(server.Listener));
    }

    [Fact]
    public async Task It_does_what_was_asked_before_it_ends()
    {
        using RawDisk disk = NbdTestServer.Raw(65_536, out MemoryStorage storage);
        using var begun = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        storage.BeforeRead = (_, _) =>
        {
            begun.Set();
            go.Wait(TimeSpan.FromSeconds(20));
        };
        var server = new NbdTestServer(disk);
        using NbdTestClient client = server.Connect();
        client.Request(0, 0, 512);
        Assert.True(begun.Wait(TimeSpan.FromSeconds(20)));
        Task stop = Task.Run(() => server.Server.Stop(TimeSpan.FromSeconds(30)));
        Thread.Sleep(300);
        Assert.False(stop.IsCompleted);
        Assert.False(storage.IsDisposed);
        go.Set();
        Assert.Equal(8 + 512, client.ReceiveChunk().Payload.Length);
        client.ExpectEnd();
        await stop.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void It_ends_with_its_last_client_if_it_is_to()
    {
        RawDisk disk = NbdTestServer.Raw(65_536, out MemoryStorage storage);
        using var server = new NbdTestServer(disk, options: new NbdServerOptions { StopAfterLastClient = true });
        using (NbdTestClient first = server.Connect())
        using (NbdTestClient second = server.Connect())
        {
            second.Request(2, 0, 0);
            second.ExpectEnd();
            Assert.False(server.Server.WaitForEnd(TimeSpan.FromMilliseconds(400)));
        }

        Assert.True(server.Server.WaitForEnd(TimeSpan.FromSeconds(20)));
        Assert.True(storage.IsDisposed);
    }

    [Fact]
    public void There_are_no_more_clients_than_it_takes()
    {
        using var server = new NbdTestServer(NbdTestServer.Raw(65_536, out _), options: new NbdServerOptions { MaxClients = 2 });
        using NbdTestClient first = server.Connect();
        using (NbdTestClient second = server.Connect())
        {
            for (int i = 0; i < 500; i++)
            {
                using var third = new NbdTestClient(server.Listener);
                third.ExpectEnd();
            }
        }

        Assert.NotNull(first.Read(0, 512, out _));
        WaitUntil(() => server.Server.ClientCount == 1);
        using NbdTestClient next = server.Connect();
        Assert.NotNull(next.Read(0, 512, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("000000")]
    [InlineData("00000003 49484156454f5054 00000003")]
    [InlineData("00000003 49484156454f5054 00000006 00010000 00")]
    [InlineData("00000003 49484156454f5054 00000006 01000000 00")]
    public void A_client_that_says_half_of_it_is_sent_away(string sent)
    {
        using var server = new NbdTestServer(NbdTestServer.Raw(65_536, out _), options: new NbdServerOptions { HandshakeTimeout = TimeSpan.FromSeconds(0.3) });
        using var client = new NbdTestClient(server.Listener);
        client.Expect(NbdTestClient.Greeting);
        client.Send(sent);
        client.ExpectEnd();
    }

    /// <summary>Clients that take no replies, and some that send half a request, have all the memory; they go when others lack it.</summary>
    [Fact]
    public void Stalled_clients_give_way_when_memory_is_short()
    {
        var options = new NbdServerOptions { MaxBufferBytes = 0, StallTimeout = TimeSpan.FromSeconds(0.3) };
        using var server = new NbdTestServer(NbdTestServer.Raw(33 << 20, out _, isWritable: true), isWritable: true, options: options);
        using NbdTestClient deaf = server.Connect(structured: false);
        deaf.Request(0, 0, 32 << 20);
        using NbdTestClient half = server.Connect();
        half.Request(1, 0, 32 << 20, data: new byte[100]);
        using NbdTestClient good = server.Connect();
        byte[] data = new byte[1 << 20];
        Array.Fill(data, (byte)9);
        Assert.Equal(0u, good.Write(0, data));
        Assert.Equal(data, good.Read(0, data.Length, out _));
        Assert.InRange(server.Server.Buffers.Taken, 1, (32 << 20) + 64);
    }

    /// <summary>Neither a client that takes no reply nor one that keeps a request half sent keeps the server from ending, and one that is patient is cut off.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stalled_clients_do_not_keep_it_from_ending(bool isCancelled)
    {
        RawDisk disk = NbdTestServer.Raw(33 << 20, out MemoryStorage storage, isWritable: true);
        var server = new NbdTestServer(disk, isWritable: true);
        using NbdTestClient deaf = server.Connect();
        for (int i = 0; i < 20; i++)
        {
            deaf.Request(0, 0, 8 << 20);
        }

        using NbdTestClient half = server.Connect();
        half.Request(1, 0, 1 << 20, data: new byte[100]);
        using var quiet = new NbdTestClient(server.Listener);
        WaitUntil(() => server.Server.BytesRead > 0);

        var watch = Stopwatch.StartNew();
        using var stop = new CancellationTokenSource();
        if (isCancelled)
        {
            stop.CancelAfter(200);
        }

        server.Server.Stop(isCancelled ? TimeSpan.FromMinutes(5) : TimeSpan.FromSeconds(0.5), stop.Token);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.True(storage.IsDisposed);
    }

    /// <summary>Random bytes at every stage, and requests of random fields: the next client is served as if nothing had been.</summary>
    [Fact]
    public void Nonsense_harms_nobody()
    {
        var random = new Random(3);
        using var server = new NbdTestServer(NbdTestServer.Raw(1 << 20, out _, isWritable: true), isWritable: true);
        for (int round = 0; round < 150; round++)
        {
            using NbdTestClient client = (round % 3) switch
            {
                0 => new NbdTestClient(server.Listener),
                _ => server.Connect(structured: round % 2 == 0),
            };
            try
            {
                if (round % 3 == 1)
                {
                    byte[] noise = new byte[random.Next(1, 5000)];
                    random.NextBytes(noise);
                    client.Send(noise);
                }
                else if (round % 3 == 2)
                {
                    for (int i = 0; i < 20; i++)
                    {
                        ulong offset = random.Next(3) == 0 ? (ulong)random.NextInt64() << 1 : (ulong)random.Next(1 << 21);
                        client.Request(random.Next(2) == 0 ? random.Next(9) : 0, offset, random.Next(4) == 0 ? uint.MaxValue : (uint)random.Next(100_000), random.Next(32));
                    }
                }
                else
                {
                    client.Send("00000003");
                    for (int i = 0; i < 10; i++)
                    {
                        byte[] data = new byte[random.Next(40)];
                        random.NextBytes(data);
                        client.Send($"{NbdTestClient.OptionMagic} {random.Next(13):x8} {(random.Next(5) == 0 ? random.Next() : data.Length):x8} {Convert.ToHexString(data)}");
                    }
                }
            }
            catch (SocketException)
            {
                // The server has had enough of it.
            }
        }

        using NbdTestClient good = server.Connect();
        Assert.NotNull(good.Read(0, 1 << 20, out _));
        WaitUntil(() => server.Server.ClientCount == 1);
    }

    [Fact]
    public void A_port_in_use_is_said()
    {
        using NbdListener first = NbdListener.OnTcp(IPAddress.Loopback, 0);
        IOException error = Assert.Throws<IOException>(() => NbdListener.OnTcp(IPAddress.Loopback, first.Port!.Value));
        Assert.Contains("in use", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_of_another_computer_and_a_folder_that_is_missing_are_said()
    {
        IOException error = Assert.Throws<IOException>(() => NbdListener.OnTcp(IPAddress.Parse("203.0.113.7"), 0)); // One that is reserved for documentation.
        Assert.Contains("no address of this computer", error.Message, StringComparison.Ordinal);
        if (OperatingSystem.IsLinux())
        {
            using var folder = new TempFolder();
            error = Assert.Throws<DirectoryNotFoundException>(() => NbdListener.OnUnixSocket(Path.Combine(folder.Path, "no", "s.sock")));
            Assert.Contains("folder", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_clients_could_not_read_is_not_served()
    {
        using Qcow2Image image = Qcow2Image.Open(Fixtures.Get("luks").Path);
        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, Assert.Throws<Qcow2Exception>(() => new NbdExport(image)).Code);
    }

    [Fact]
    public void Names_are_quoted_in_addresses()
    {
        using NbdListener listener = NbdListener.OnTcp(IPAddress.Loopback, 0);
        Assert.Equal($"nbd://127.0.0.1:{listener.Port}", listener.UriOf(""));
        Assert.Equal($"nbd://127.0.0.1:{listener.Port}/a%20b/c%3F", listener.UriOf("a b/c?"));
    }

    [LinuxFact]
    public void A_unix_socket_is_its_owners_alone_and_goes_with_the_server()
    {
        using var folder = new TempFolder();
        string path = folder.File("a b.sock");
        using (NbdListener listener = NbdListener.OnUnixSocket(path))
        {
            Assert.Equal("600", Shell.Run("stat", "-c", "%a", path));
            Assert.Equal($"nbd+unix:///x?socket={folder.Path}/a%20b.sock", listener.UriOf("x"));
            IOException error = Assert.Throws<IOException>(() => NbdListener.OnUnixSocket(path));
            Assert.Contains("another server", error.Message, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(path));
    }

    /// <summary>What a server left that was killed is replaced; what is no socket stays.</summary>
    [LinuxFact]
    public void An_abandoned_socket_is_replaced_and_nothing_else()
    {
        using var folder = new TempFolder();
        string path = folder.File("s.sock");
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(new UnixDomainSocketEndPoint(path + ".x"));
            File.Move(path + ".x", path); // So that closing does not remove it.
        }

        Assert.True(File.Exists(path));
        NbdListener.OnUnixSocket(path).Dispose();

        string file = folder.Write("file", [1]);
        File.CreateSymbolicLink(path, file);
        foreach (string other in (string[])[file, path, folder.Path])
        {
            IOException error = Assert.Throws<IOException>(() => NbdListener.OnUnixSocket(other));
            Assert.Contains("not a socket", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal([1], File.ReadAllBytes(file));
        Assert.Contains("too long", Assert.Throws<IOException>(() => NbdListener.OnUnixSocket(folder.File(new string('x', 200)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_export_is_what_its_disk_can_be()
    {
        using RawDisk disk = NbdTestServer.Raw(512, out _);
        Assert.Throws<ArgumentException>(() => new NbdExport(disk, isWritable: true));
        Assert.Throws<ArgumentException>(() => new NbdExport(disk, new string('x', 4097)));
        using RawDisk other = NbdTestServer.Raw(512, out _, isWritable: true);
        Assert.Throws<ArgumentException>(() => new NbdExport(other, isWritable: true, bitmaps: [new NbdBitmap("b", [])]));
    }
}
