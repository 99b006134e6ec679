using Qcow2.Engine.Nbd;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>Writing: by several clients at once, with errors of the host, and what is left after a crash.</summary>
public sealed class NbdWriteTests
{
    private const int Region = 1 << 20;
    private const int Clients = 4;

    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("QCOW2_FUZZ_ROUNDS"), out int rounds) ? rounds : 120;

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    [InlineData("small clusters")]
    public void Clients_write_at_once_what_a_model_has(string format)
    {
        var storage = new MemoryStorage(format == "raw" ? new byte[Clients * Region] : []);
        VirtualDisk disk = format == "raw"
            ? RawDisk.Open(storage, isWritable: true)
            : Qcow2Image.Create(storage, Clients * Region, new Qcow2CreateOptions { ClusterSize = format == "qcow2" ? 65_536 : 4096 });
        byte[] model = new byte[Clients * Region];
        using (var server = new NbdTestServer(disk, isWritable: true))
        {
            Parallel.For(0, Clients, new ParallelOptions { MaxDegreeOfParallelism = Clients }, number =>
            {
                using NbdTestClient client = server.Connect();
                Work(client, new Random(number + 100), model, number * Region);
            });
            using NbdTestClient reader = server.Connect();
            Assert.True(model.AsSpan().SequenceEqual(reader.Read(0, model.Length, out _)));
        }

        using VirtualDisk again = format == "raw" ? RawDisk.Open(new MemoryStorage(storage.Content)) : Qcow2Image.Open(new MemoryStorage(storage.Content));
        byte[] left = new byte[model.Length];
        again.Read(0, left);
        Assert.True(model.AsSpan().SequenceEqual(left));
        if (format != "raw")
        {
            Qcow2CheckResult result = DiskFormats.Get("qcow2").Check(new MemoryStorage(storage.Content));
            Assert.Equal((0, 0), (result.Corruptions, result.Leaks));
        }
    }

    /// <summary>Each client has a part of the disk, and knows what is in it; where it trimmed only whole clusters are known.</summary>
    private static void Work(NbdTestClient client, Random random, byte[] model, int start)
    {
        for (int i = 0; i < Rounds; i++)
        {
            int offset = start + random.Next(Region);
            int length = Math.Min(start + Region - offset, random.Next(1, random.Next(2) == 0 ? 1000 : 200_000));
            switch (random.Next(6))
            {
                case 0:
                    Assert.Equal(0u, client.Do(6, offset, length, flags: random.Next(4)));
                    model.AsSpan(offset, length).Clear();
                    break;
                case 1:
                    Assert.Equal(0u, client.Do(4, offset, length));
                    client.Read(offset, length, out _)!.CopyTo(model, offset); // It may have gone or stayed.
                    break;
                case 2:
                    Assert.True(model.AsSpan(offset, length).SequenceEqual(client.Read(offset, length, out _)));
                    break;
                case 3:
                    Assert.Equal(0u, client.Do(3, 0, 0));
                    break;
                default:
                    byte[] data = new byte[length];
                    random.NextBytes(data);
                    Assert.Equal(0u, client.Write(offset, data, flags: random.Next(2)));
                    data.CopyTo(model, offset);
                    break;
            }
        }
    }

    /// <summary>The power fails as soon as a client has been told that its data are there: what the host's disk has by then is an image that has them.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_was_acknowledged_is_on_the_disk(bool withFua)
    {
        var storage = new MemoryStorage([]);
        Qcow2Image image = Qcow2Image.Create(storage, 4 << 20, new Qcow2CreateOptions { ClusterSize = 4096 });
        byte[] durable = [];
        storage.BeforeFlush = () => durable = storage.Content.ToArray();
        using var server = new NbdTestServer(image, isWritable: true);
        using NbdTestClient client = server.Connect();
        byte[] model = new byte[4 << 20];
        var random = new Random(5);
        for (int i = 0; i < 25; i++)
        {
            int offset = random.Next(3 << 20);
            byte[] data = new byte[random.Next(1, 50_000)];
            random.NextBytes(data);
            switch (i % 5)
            {
                case 3:
                    Array.Clear(data);
                    Assert.Equal(0u, client.Do(6, offset, data.Length, withFua ? 1 : 0));
                    break;
                default:
                    Assert.Equal(0u, client.Write(offset, data, withFua ? 1 : 0));
                    break;
            }

            data.CopyTo(model, offset);
            Assert.Equal(0u, withFua ? 0 : client.Do(3, 0, 0));

            using Qcow2Image crashed = Qcow2Image.Open(new MemoryStorage((byte[])Volatile.Read(ref durable).Clone()));
            byte[] left = new byte[model.Length];
            crashed.Read(0, left);
            Assert.True(model.AsSpan().SequenceEqual(left), $"After {i}.");
        }
    }

    [Theory]
    [InlineData(28, 28u)]
    [InlineData(122, 28u)]
    [InlineData(27, 28u)]
    [InlineData(5, 5u)]
    public void An_error_of_the_host_is_told_and_the_connection_goes_on(int host, uint told)
    {
        using RawDisk disk = NbdTestServer.Raw(1 << 20, out MemoryStorage storage, isWritable: true);
        bool isFailing = true;
        storage.BeforeWrite = (_, _) => Fail();
        storage.BeforeRead = (_, _) => Fail();
        using var server = new NbdTestServer(disk, isWritable: true);
        using NbdTestClient client = server.Connect();
        Assert.Equal(told, client.Write(0, new byte[512]));
        client.Read(0, 512, out uint error);
        Assert.Equal(told, error);
        Assert.Equal("The host says so.", server.Server.LastProblem);

        isFailing = false;
        Assert.Equal(0u, client.Write(0, new byte[512]));
        Assert.Equal(new byte[512], client.Read(0, 512, out _));

        void Fail()
        {
            if (isFailing)
            {
                throw new IOException("The host says so.", host);
            }
        }
    }

    /// <summary>A read of several chunks that fails in its midst says so after the data that were good.</summary>
    [Fact]
    public void A_long_read_that_fails_ends_with_an_error()
    {
        using RawDisk disk = NbdTestServer.Raw(4 << 20, out MemoryStorage storage);
        storage.BeforeRead = (offset, _) => _ = offset >= 2 << 20 ? throw new IOException("Gone.") : 0;
        using var server = new NbdTestServer(disk);
        using NbdTestClient client = server.Connect();
        Assert.Null(client.Read(0, 4 << 20, out uint error));
        Assert.Equal(5u, error);
        Assert.Equal(2, client.Chunks.Count);
        Assert.NotNull(client.Read(0, 1 << 20, out _));
    }

    [Fact]
    public void A_flush_that_fails_is_told_and_fails_the_end_of_the_server()
    {
        var storage = new MemoryStorage([]);
        Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        var server = new NbdTestServer(image, isWritable: true);
        using NbdTestClient client = server.Connect();
        Assert.Equal(0u, client.Write(0, new byte[] { 1 }));
        storage.BeforeFlush = () => throw new IOException("No flush.");
        Assert.Equal(5u, client.Do(3, 0, 0));
        Assert.Equal(5u, client.Write(0, new byte[] { 1 }, flags: 1));
        IOException error = Assert.Throws<IOException>(() => server.Server.Stop(TimeSpan.FromSeconds(5)));
        Assert.Contains("No flush.", error.Message, StringComparison.Ordinal);
        Assert.True(server.Server.HasEnded);
        server.Server.Stop(TimeSpan.Zero); // Said once.
    }

    /// <summary>Zeros that are to have a place have one: later writes take no more of the host.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(2, true)]
    public void Zeros_get_a_place_where_that_is_asked_for(int flags, bool hasPlace)
    {
        var storage = new MemoryStorage([]);
        Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        using var server = new NbdTestServer(image, isWritable: true);
        using NbdTestClient client = server.Connect();
        Assert.Equal(0u, client.Write(0, new byte[] { 1, 2, 3 }));
        Assert.Equal(0u, client.Do(6, 1, 600_000, flags));
        Assert.Equal(1, client.Read(0, 10, out _)![0]);
        Assert.Equal(new byte[600_000], client.Read(1, 600_000, out _));
        Assert.Equal(hasPlace, image.GetExtents(65_536, 500_000).All(extent => extent.HostOffset is not null));
    }

    [Fact]
    public void A_request_that_did_not_come_whole_changes_nothing()
    {
        using RawDisk disk = NbdTestServer.Raw(1 << 20, out MemoryStorage storage, isWritable: true);
        byte[] before = storage.Content.ToArray();
        using var server = new NbdTestServer(disk, isWritable: true);
        using (NbdTestClient client = server.Connect())
        {
            client.Request(1, 0, 65_536, data: new byte[60_000]);
        }

        server.Server.Stop(TimeSpan.FromSeconds(5));
        Assert.Equal(before, storage.Content);
    }

    [Fact]
    public void An_enabled_bitmap_has_what_clients_wrote()
    {
        var storage = new MemoryStorage([]);
        Qcow2Image image = Qcow2Image.Create(storage, 1 << 20);
        image.CreateBitmap("since");
        using (var server = new NbdTestServer(image, isWritable: true))
        {
            using NbdTestClient client = server.Connect();
            Assert.Equal(0u, client.Write(65_536, new byte[] { 1 }));
            Assert.Equal(0u, client.Do(4, 131_072, 65_536));
        }

        using Qcow2Image again = Qcow2Image.Open(new MemoryStorage(storage.Content));
        Assert.Equal([new DiskRange(65_536, 131_072)], again.GetBitmapRanges("since"));
    }
}
