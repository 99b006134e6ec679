using System.Diagnostics;
using System.Net.Sockets;
using Qcow2.Engine.Nbd;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>What the host sends from the file that it lies in, without a copy: on Unix sockets, of files that nobody writes.</summary>
public sealed class NbdFileRunTests
{
    private const int MiB = 1 << 20;

    /// <summary>Whatever lies beside each other, at any place and of any length, the bytes are the disk's, and those that are zeros are not sent.</summary>
    [QemuTheory]
    [InlineData("raw")]
    [InlineData("plain")]
    [InlineData("compressed beside plain")]
    [InlineData("chain")]
    [InlineData("snapshot")]
    public void The_bytes_are_those_of_the_disk(string what)
    {
        using var folder = new TempFolder();
        (VirtualDisk disk, VirtualDisk owner, byte[] content) = Make(folder, what);
        NbdListener listener = NbdListener.OnUnixSocket(folder.File("s"));
        using NbdServer server = NbdServer.Start(listener, new NbdExport(disk, owner: owner));
        Assert.Equal(ImageLock.IsAvailable, NbdFileRuns.Of(server.Export)!.Find(0, MiB) is not null);
        using NbdTestClient client = NbdTestClient.Connect(listener);
        var random = new Random(3);
        for (int i = 0; i < 150; i++)
        {
            int offset = i == 0 ? 0 : i % 3 == 0 ? random.Next(content.Length / 65_536) * 65_536 : random.Next(content.Length);
            int length = i == 0 ? content.Length : Math.Min(content.Length - offset, i % 4 == 0 ? random.Next(1, 100_000) : random.Next(1, 3 * MiB));
            byte[]? read = client.Read(offset, length, out uint error, flags: i % 10 == 9 ? 4 : 0);
            Assert.Equal(0u, error);
            Assert.True(content.AsSpan(offset, length).SequenceEqual(read), $"{length} bytes at {offset}");
        }

        Assert.Contains(client.Chunks, chunk => chunk is { Type: 2, Length: >= 512 * 1024 });
        using NbdTestClient simple = NbdTestClient.Connect(listener, structured: false);
        simple.Request(0, 1000, 2 * MiB);
        simple.Receive(16);
        Assert.True(content.AsSpan(1000, 2 * MiB).SequenceEqual(simple.Receive(2 * MiB)));
    }

    /// <summary>What might change before the client has it is read.</summary>
    [QemuTheory]
    [InlineData("plain", true)]
    [InlineData("shared by force", false)]
    [InlineData("writable", false)]
    [InlineData("raw, writable", false)]
    [InlineData("unlocked", false)]
    [InlineData("in memory", false)]
    [InlineData("compressed", false)]
    [InlineData("short", false)]
    [InlineData("cut off", false)]
    [InlineData("zeros", false)]
    public void Only_what_stays_as_it_is_is_sent_from_its_file(string what, bool isSent)
    {
        using var folder = new TempFolder();
        string raw = folder.Write("disk.raw", Content(2 * MiB));
        string image = folder.File("disk.qcow2");
        QemuImg.Run(["convert", "-f", "raw", "-O", "qcow2", .. what == "compressed" ? ["-c"] : Array.Empty<string>(), raw, image]);
        using VirtualDisk disk = what switch
        {
            "shared by force" => Qcow2Image.Open(image, new Qcow2OpenOptions { ForceShare = true }),
            "writable" => Qcow2Image.Open(image, new Qcow2OpenOptions { Writable = true }),
            "raw, writable" => RawDisk.Open(raw, new Qcow2OpenOptions { Writable = true }),
            "unlocked" => RawDisk.Open(LocalFile.OpenRead(raw)),
            "in memory" => NbdTestServer.Raw(2 * MiB, out _),
            "cut off" => RawDisk.Open(raw),
            _ => Qcow2Image.Open(image),
        };
        if (what == "cut off")
        {
            using FileStream file = new(raw, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.SetLength(5);
        }

        long offset = what == "zeros" ? MiB : 0;
        NbdFileRun? run = NbdFileRuns.Of(new NbdExport(disk))?.Find(offset, what == "short" ? 4096 : 256 * 1024);
        Assert.Equal(isSent && ImageLock.IsAvailable, run is not null);
        Assert.True(run is null || run.Value.Length == 256 * 1024);
    }

    /// <summary>A reply is not shorter than it was said to be, unless the connection ends in it; and who runs the server is told.</summary>
    [QemuFact]
    public void A_file_that_is_cut_off_meanwhile_ends_the_connection()
    {
        using var folder = new TempFolder();
        const int Length = 24 * MiB;
        byte[] content = new byte[Length];
        new Random(5).NextBytes(content);
        string image = folder.File("disk.qcow2");
        QemuImg.Run("convert", "-f", "raw", "-O", "qcow2", folder.Write("disk.raw", content), image);
        using NbdServer server = Serve(folder, Qcow2Image.Open(image), out NbdListener listener);
        using NbdTestClient client = NbdTestClient.Connect(listener);
        ulong cookie = client.Request(0, 0, Length);
        client.Socket.Poll(20_000_000, SelectMode.SelectRead);
        using (FileStream file = new(image, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(MiB); // The client's buffers do not hold all that comes before.
        }

        bool isError = false;
        int start = 0;
        try
        {
            while (!isError && start < Length)
            {
                (_, ushort type, ulong of, byte[] payload) = client.ReceiveChunk();
                Assert.Equal(cookie, of);
                isError = type == 0x8001;
                Assert.True(isError || content.AsSpan(start, payload.Length - 8).SequenceEqual(payload.AsSpan(8)));
                start += payload.Length - 8;
            }
        }
        catch (EndOfStreamException)
        {
            isError = true; // In the middle of a chunk.
        }

        Assert.True(isError);
        SpinWait.SpinUntil(() => server.LastProblem is not null, TimeSpan.FromSeconds(20));
        Assert.Contains("cut off", server.LastProblem, StringComparison.Ordinal);
        using NbdTestClient next = NbdTestClient.Connect(listener);
        Assert.Null(next.Read(20 * MiB, MiB, out uint error));
        Assert.NotEqual(0u, error);
    }

    /// <summary>The same, with what was promised known.</summary>
    [LinuxFact]
    public void What_a_file_does_not_have_is_no_reply()
    {
        using var folder = new TempFolder();
        using LocalFile file = LocalFile.OpenRead(folder.Write("file", Content(100_000)));
        using var listening = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listening.Bind(new UnixDomainSocketEndPoint(folder.File("s")));
        listening.Listen(1);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(listening.LocalEndPoint!);
        using var channel = new NbdChannel(listening.Accept());
        Assert.True(channel.TrySendFile(file, 99_000, 1000));
        Assert.False(channel.HasLetGoOfFiles());
        Assert.Equal(1000, client.Receive(new byte[2000]));
        Assert.True(channel.HasLetGoOfFiles());
        Assert.Contains("cut off", Assert.Throws<IOException>(() => channel.TrySendFile(file, 99_000, 2000)).Message, StringComparison.Ordinal);
        client.Dispose();
        Assert.False(channel.TrySendFile(file, 0, 1000));
        Assert.True(channel.HasLetGoOfFiles());
    }

    /// <summary>A client that leaves, or takes nothing, in the middle of a file harms nobody else, and does not keep the server from ending.</summary>
    [LinuxFact]
    public void Clients_that_leave_or_stall_harm_nobody()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[24 * MiB];
        new Random(6).NextBytes(content);
        string raw = folder.Write("disk.raw", content);
        NbdServer server = Serve(folder, RawDisk.Open(raw), out NbdListener listener);
        using NbdTestClient deaf = NbdTestClient.Connect(listener);
        for (int i = 0; i < 8; i++)
        {
            deaf.Request(0, 0, 24 * MiB);
        }

        for (int i = 0; i < 5; i++)
        {
            using NbdTestClient leaving = NbdTestClient.Connect(listener);
            leaving.Request(0, 0, 24 * MiB);
            leaving.Receive(100);
        }

        using (NbdTestClient good = NbdTestClient.Connect(listener))
        {
            Assert.True(content.AsSpan(5, 3 * MiB).SequenceEqual(good.Read(5, 3 * MiB, out _)));
        }

        Assert.True(SpinWait.SpinUntil(() => server.ClientCount == 1, TimeSpan.FromSeconds(20)));
        var watch = Stopwatch.StartNew();
        server.Stop(TimeSpan.FromSeconds(0.2));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        RawDisk.Open(raw, new Qcow2OpenOptions { Writable = true }).Dispose();
    }

    /// <summary>Until a client has taken what is sent from a file, nobody else may write that.</summary>
    [LinuxFact]
    public void A_server_that_ends_lets_clients_take_what_is_theirs()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[MiB];
        new Random(8).NextBytes(content);
        string raw = folder.Write("disk.raw", content);
        using NbdServer server = Serve(folder, RawDisk.Open(raw), out NbdListener listener);
        using NbdTestClient client = NbdTestClient.Connect(listener);
        client.Request(0, 0, 128 * 1024);
        client.Receive(28);
        var stop = new Thread(() => server.Stop(TimeSpan.FromMinutes(5)));
        stop.Start();
        Thread.Sleep(300); // A server that does not wait has ended by then, most probably.
        Assert.False(server.HasEnded);
        Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => RawDisk.Open(raw, new Qcow2OpenOptions { Writable = true })).Code);
        Assert.True(content.AsSpan(0, 128 * 1024).SequenceEqual(client.Receive(128 * 1024)));
        Assert.True(stop.Join(TimeSpan.FromSeconds(30)));
        client.ExpectEnd();
        RawDisk.Open(raw, new Qcow2OpenOptions { Writable = true }).Dispose();
    }

    /// <summary>What goes through TLS is not the file.</summary>
    [LinuxFact]
    public void Nothing_is_sent_past_tls()
    {
        using var folder = new TempFolder();
        byte[] content = Content(MiB);
        NbdListener listener = NbdListener.OnUnixSocket(folder.File("s"));
        var tls = new NbdTls(NbdTestCertificates.SelfSigned(NbdTestCertificates.ServerAuthentication));
        var export = new NbdExport(RawDisk.Open(folder.Write("disk.raw", content)));
        using NbdServer server = NbdServer.Start(listener, export, NbdServerOptions.Default with { Tls = tls });
        using var client = new NbdTestClient(listener);
        client.Expect(NbdTestClient.Greeting);
        client.Send("00000003");
        client.StartTls();
        client.Agree();
        Assert.Equal(content, client.Read(0, MiB, out _));
    }

    private static NbdServer Serve(TempFolder folder, VirtualDisk disk, out NbdListener listener)
    {
        listener = NbdListener.OnUnixSocket(folder.File("s"));
        return NbdServer.Start(listener, new NbdExport(disk));
    }

    /// <summary>Data, and zeros from half of it on, but for the last part.</summary>
    private static byte[] Content(int length)
    {
        byte[] content = new byte[length];
        new Random(4).NextBytes(content);
        for (int i = 0; i < length; i++)
        {
            content[i] = (byte)((content[i] & 15) + 1); // Something that can be compressed.
        }

        content.AsSpan(length / 2, length / 4).Clear();
        return content;
    }

    private static (VirtualDisk Disk, VirtualDisk Owner, byte[] Content) Make(TempFolder folder, string what)
    {
        string raw = folder.Write("disk.raw", Content((5 * MiB) + 512));
        string image = folder.File("disk.qcow2");
        QemuImg.Run(["convert", "-f", "raw", "-O", "qcow2", .. what == "compressed beside plain" ? ["-c"] : Array.Empty<string>(), raw, image]);
        switch (what)
        {
            case "raw":
                RawDisk plain = RawDisk.Open(raw);
                return (plain, plain, File.ReadAllBytes(raw));
            case "compressed beside plain":
                QemuImg.RunIo("-c", "write -P 3 0 1M", "-c", "write -P 4 1200k 70k", "-c", "write -z 1500k 100k", image);
                break;
            case "chain":
                string below = folder.File("below.qcow2");
                File.Move(image, below);
                QemuImg.Run("create", "-f", "qcow2", "-b", below, "-F", "qcow2", image, "6M");
                QemuImg.RunIo("-c", "write -P 5 1000k 300k", "-c", "write -z 1800k 128k", "-c", "write -P 6 5m 200k", image);
                break;
            case "snapshot":
                QemuImg.Run("snapshot", "-c", "s", image);
                QemuImg.RunIo("-c", "write -P 5 0 2M", image);
                Qcow2Image opened = Qcow2Image.Open(image);
                return (opened.OpenSnapshot(opened.Snapshots[0]), opened, File.ReadAllBytes(raw));
        }

        QemuImg.Run("convert", "-f", "qcow2", "-O", "raw", image, raw);
        Qcow2Image disk = Qcow2Image.Open(image);
        return (disk, disk, File.ReadAllBytes(raw));
    }
}
