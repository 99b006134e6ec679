using Qcow2.Engine.Nbd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>Requests and replies, byte by byte (NBD protocol, "Transmission phase").</summary>
public sealed class NbdTransmissionTests
{
    private const int Size = 1 << 20;

    public static TheoryData<string, bool, bool, string, string> Messages => new()
    {
        // What it is, whether replies are structured, whether the disk is written, request and reply. The first bytes of the disk are 0, 1, 2, 3 …
        { "read", false, false, "25609513 0000 0000 1122334455667788 0000000000000002 00000004", "67446698 00000000 1122334455667788 02030405" },
        { "read", true, false, "25609513 0000 0000 1122334455667788 0000000000000002 00000004", "668e33ef 0001 0001 1122334455667788 0000000c 0000000000000002 02030405" },
        { "read whole", true, false, "25609513 0004 0000 1122334455667788 0000000000000002 00000004", "668e33ef 0001 0001 1122334455667788 0000000c 0000000000000002 02030405" },
        { "read zeros", true, false, "25609513 0000 0000 1122334455667788 0000000000080000 00010000", "668e33ef 0001 0002 1122334455667788 0000000c 0000000000080000 00010000" },
        { "read a zero", true, false, "25609513 0000 0000 1122334455667788 0000000000080000 00000001", "668e33ef 0001 0002 1122334455667788 0000000c 0000000000080000 00000001" },
        { "read zeros whole", true, false, "25609513 0004 0000 1122334455667788 0000000000080000 00000002", "668e33ef 0001 0001 1122334455667788 0000000a 0000000000080000 0000" },
        { "read nothing", false, false, "25609513 0000 0000 0000000000000001 0000000000000000 00000000", "67446698 00000000 0000000000000001" },
        { "read nothing", true, false, "25609513 0000 0000 0000000000000001 0000000000000000 00000000", "668e33ef 0001 0000 0000000000000001 00000000" },
        { "read past the end", false, false, "25609513 0000 0000 0000000000000001 00000000000fffff 00000002", "67446698 00000016 0000000000000001" },
        { "read past the end", true, false, "25609513 0000 0000 0000000000000001 00000000000fffff 00000002", "668e33ef 0001 8001 0000000000000001 00000006 00000016 0000" },
        { "read at a negative offset", true, false, "25609513 0000 0000 0000000000000001 ffffffffffffffff 00000002", "668e33ef 0001 8001 0000000000000001 00000006 00000016 0000" },
        { "read 4 GiB", false, false, "25609513 0000 0000 0000000000000001 0000000000000000 ffffffff", "67446698 00000016 0000000000000001" },
        { "read whole without structured replies", false, false, "25609513 0004 0000 0000000000000001 0000000000000000 00000001", "67446698 00000016 0000000000000001" },
        { "read with an unknown flag", true, false, "25609513 8000 0000 0000000000000001 0000000000000000 00000001", "668e33ef 0001 8001 0000000000000001 00000006 00000016 0000" },
        { "read with FUA", false, false, "25609513 0001 0000 0000000000000001 0000000000000001 00000001", "67446698 00000000 0000000000000001 01" },
        { "write read-only", false, false, "25609513 0000 0001 0000000000000001 0000000000000000 00000004 aabbccdd", "67446698 00000001 0000000000000001" },
        { "write read-only", true, false, "25609513 0000 0001 0000000000000001 0000000000000000 00000004 aabbccdd", "668e33ef 0001 8001 0000000000000001 00000006 00000001 0000" },
        { "write", false, true, "25609513 0000 0001 0000000000000001 0000000000000000 00000004 aabbccdd", "67446698 00000000 0000000000000001" },
        { "write for good", true, true, "25609513 0001 0001 0000000000000001 0000000000000000 00000004 aabbccdd", "668e33ef 0001 0000 0000000000000001 00000000" },
        { "write past the end", true, true, "25609513 0000 0001 0000000000000001 00000000000ffffe 00000004 aabbccdd", "668e33ef 0001 8001 0000000000000001 00000006 0000001c 0000" },
        { "write with an unknown flag", false, true, "25609513 0002 0001 0000000000000001 0000000000000000 00000004 aabbccdd", "67446698 00000016 0000000000000001" },
        { "write nothing", false, true, "25609513 0000 0001 0000000000000001 0000000000000000 00000000", "67446698 00000000 0000000000000001" },
        { "flush", false, false, "25609513 0000 0003 0000000000000001 0000000000000000 00000000", "67446698 00000000 0000000000000001" },
        { "flush", true, true, "25609513 0000 0003 0000000000000001 0000000000000000 00000000", "668e33ef 0001 0000 0000000000000001 00000000" },
        { "trim", false, true, "25609513 0000 0004 0000000000000001 0000000000000000 00010000", "67446698 00000000 0000000000000001" },
        { "trim read-only", false, false, "25609513 0000 0004 0000000000000001 0000000000000000 00010000", "67446698 00000001 0000000000000001" },
        { "trim past the end", false, true, "25609513 0000 0004 0000000000000001 0000000000000001 00100000", "67446698 00000016 0000000000000001" },
        { "cache, which is not offered", false, true, "25609513 0000 0005 0000000000000001 0000000000000000 00010000", "67446698 00000016 0000000000000001" },
        { "zeros", false, true, "25609513 0000 0006 0000000000000001 0000000000000000 00010000", "67446698 00000000 0000000000000001" },
        { "zeros with a place", false, true, "25609513 0003 0006 0000000000000001 0000000000000000 00010000", "67446698 00000000 0000000000000001" },
        { "zeros fast, which is not offered", false, true, "25609513 0010 0006 0000000000000001 0000000000000000 00010000", "67446698 00000016 0000000000000001" },
        { "zeros read-only", false, false, "25609513 0000 0006 0000000000000001 0000000000000000 00010000", "67446698 00000001 0000000000000001" },
        { "zeros past the end", false, true, "25609513 0000 0006 0000000000000001 0000000000000000 00100001", "67446698 0000001c 0000000000000001" },
        { "status without a context", true, false, "25609513 0000 0007 0000000000000001 0000000000000000 00010000", "668e33ef 0001 8001 0000000000000001 00000006 00000016 0000" },
        { "unknown", false, true, "25609513 0000 0008 0000000000000001 0000000000000000 00010000", "67446698 00000016 0000000000000001" },
        { "no magic", false, true, "25609514 0000 0000 0000000000000001 0000000000000000 00010000", "END" },
        { "historic magic", false, true, "12560953 0000 0000 0000000000000001 0000000000000000 00010000", "END" },
        { "disconnect", false, true, "25609513 0000 0002 0000000000000001 0000000000000000 00000000", "END" },
        { "write 32 MiB and a byte", false, true, "25609513 0000 0001 0000000000000001 0000000000000000 02000001", "END" },
    };

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_request_is_answered(string what, bool structured, bool isWritable, string sent, string reply)
    {
        byte[] content = [.. Enumerable.Range(0, Size).Select(i => i >= Size / 2 ? (byte)0 : (byte)i)];
        using var server = new NbdTestServer(RawDisk.Open(new MemoryStorage(content), isWritable), isWritable);
        using NbdTestClient client = server.Connect(structured);
        client.Send(sent);
        client.Expect(reply.Replace("END", "", StringComparison.Ordinal));
        if (reply == "END")
        {
            client.ExpectEnd();
            return;
        }

        // And the connection goes on.
        client.Send("25609513 0000 0003 0000000000000077 0000000000000000 00000000");
        client.Expect(structured ? "668e33ef 0001 0000 0000000000000077 00000000" : "67446698 00000000 0000000000000077");
        Assert.NotEmpty(what);
    }

    /// <summary>Whatever the length and the place, each byte comes once, in data or in holes.</summary>
    [Fact]
    public void Reads_are_cut_into_data_and_holes()
    {
        const int Length = 5 << 20;
        var random = new Random(11);
        byte[] content = new byte[Length];
        for (int offset = 0; offset < Length;)
        {
            int run = random.Next(1, 120_000);
            random.NextBytes(content.AsSpan(offset, Math.Min(run, Length - offset)));
            offset += run + random.Next(1, 120_000);
        }

        using var server = new NbdTestServer(RawDisk.Open(new MemoryStorage(content)));
        using NbdTestClient client = server.Connect();
        for (int i = 0; i < 300; i++)
        {
            int offset = random.Next(Length);
            int length = Math.Min(Length - offset, i % 10 == 0 ? Length : random.Next(1, i % 2 == 0 ? 2000 : 300_000));
            byte[]? read = client.Read(offset, length, out uint error, flags: i % 7 == 0 ? 4 : 0);
            Assert.Equal(0u, error);
            Assert.True(content.AsSpan(offset, length).SequenceEqual(read), $"{length} bytes at {offset}");
        }

        Assert.Contains(client.Chunks, chunk => chunk.Type == 2);
        client.Chunks.Clear();
        client.Read(0, Length, out _, flags: 4);
        Assert.Equal([((ushort)1, 0, Length)], client.Chunks);
    }

    [Fact]
    public void Status_of_blocks_is_told_by_every_context()
    {
        using var folder = new TempFolder();
        string below = folder.File("below.qcow2");
        string above = folder.File("above.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(below, Size))
        {
            image.Write(0, new byte[] { 1 });
        }

        using (Qcow2Image image = Qcow2Image.Create(above, Size, new Qcow2CreateOptions { BackingFile = below, BackingFormat = "qcow2" }))
        {
            image.Write(131_072, new byte[] { 1 });
            image.WriteZeroes(196_608, 65_536);
        }

        var bitmap = new NbdBitmap("b", [new DiskRange(65_536, 65_536), new DiskRange(262_144, 65_536), new DiskRange(Size - 65_536, 131_072)]);
        using var server = new NbdTestServer(Qcow2Image.Open(above), bitmaps: bitmap);
        using NbdTestClient client = server.Connect(true, "base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:b");

        Dictionary<uint, (uint, uint)[]> all = client.Status(0, Size);
        Assert.Equal([(65_536u, 0u), (65_536, 3), (65_536, 0), (Size - 196_608, 3)], all[1]);
        Assert.Equal([(65_536u, 2u), (65_536, 0), (131_072, 1), (Size - 262_144, 0)], all[2]);
        Assert.Equal([(65_536u, 0u), (65_536, 1), (131_072, 0), (65_536, 1), (Size - 393_216, 0), (65_536, 1)], all[3]);

        Dictionary<uint, (uint, uint)[]> one = client.Status(1000, Size - 1000, flags: 8);
        Assert.Equal([(64_536u, 0u)], one[1]);
        Assert.Equal([(64_536u, 2u)], one[2]);
        Assert.Equal([(64_536u, 0u)], one[3]);
        Assert.Equal([(10u, 1u)], client.Status(Size - 10, 10)[3]);
    }

    /// <summary>A client asks for the next before it has the last, and replies come as they are ready.</summary>
    [Fact]
    public void Requests_are_done_side_by_side()
    {
        using RawDisk disk = NbdTestServer.Raw(Size, out MemoryStorage storage);
        using var second = new ManualResetEventSlim();
        storage.BeforeRead = (offset, _) =>
        {
            if (offset == 0)
            {
                second.Wait(TimeSpan.FromSeconds(20));
            }
            else
            {
                second.Set();
            }
        };
        using var server = new NbdTestServer(disk);
        using NbdTestClient client = server.Connect();
        ulong first = client.Request(0, 0, 512);
        ulong other = client.Request(0, 4096, 512);
        Assert.Equal(new HashSet<ulong> { first, other }, [client.ReceiveChunk().Cookie, client.ReceiveChunk().Cookie]);
        Assert.True(second.IsSet);
    }

    [Fact]
    public void What_was_read_and_written_is_counted()
    {
        using var server = new NbdTestServer(NbdTestServer.Raw(Size, out _, isWritable: true), isWritable: true);
        using NbdTestClient client = server.Connect();
        Assert.Equal(0u, client.Write(0, new byte[3000]));
        client.Read(0, 5000, out _);
        Assert.Equal((5000, 3000, 1), (server.Server.BytesRead, server.Server.BytesWritten, server.Server.ClientCount));
    }
}
