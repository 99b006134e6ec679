using System.Runtime.InteropServices;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>Many threads write sectors of the same clusters, others read and flush meanwhile.</summary>
public sealed class ConcurrentWriteTests : IDisposable
{
    private const int SectorSize = 512;
    private const int Writers = 8;
    private const int Readers = 4;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("standard")]
    [InlineData("small-clusters")]
    [InlineData("extended")]
    [InlineData("fixture:snapshots")]
    [InlineData("fixture:snapshots-extl2")]
    [InlineData("fixture:deflate-4k")]
    [InlineData("fixture:zero-allocated")]
    public async Task Every_sector_is_old_or_new_and_none_is_lost(string name)
    {
        MemoryStorage storage = MakeImage(name);
        var options = new Qcow2OpenOptions { Writable = true, L2CacheSize = 1 };
        byte[] start;
        int sectors;
        long[] begun;
        long[] done;
        using (Qcow2Image image = Qcow2Image.Open(storage, options))
        {
            start = DiskModel.ReadAll(image);
            sectors = start.Length / SectorSize;
            begun = new long[sectors];
            done = new long[sectors];
            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            Task[] readers = [.. Enumerable.Range(0, Readers).Select(i => Task.Factory.StartNew(
                () => Read(image, i, start, begun, done, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            Task flusher = Task.Factory.StartNew(
                () => Flush(image, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Task[] writers = [.. Enumerable.Range(0, Writers).Select(i => Task.Factory.StartNew(
                () => Write(image, i, begun, done), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            await Task.WhenAll(writers).WaitAsync(TimeSpan.FromSeconds(50));
            await stop.CancelAsync();
            await Task.WhenAll([.. readers, flusher]);
        }

        for (int sector = 0; sector < sectors; sector++)
        {
            if (done[sector] > 0)
            {
                MemoryMarshal.Cast<byte, long>(start.AsSpan(sector * SectorSize, SectorSize)).Fill(done[sector]);
            }
        }

        var model = new DiskModel(start, 4096, 0, name);
        using (Qcow2Image image = Qcow2Image.Open(new MemoryStorage(storage.Content, storage.Path)))
        {
            model.AssertEqual(image);
        }

        ImageAuditor audit = ImageAuditor.Audit(storage.Content);
        Assert.Empty(audit.Corruptions);
        Assert.Equal(0, audit.Leaks);
    }

    private static void Write(Qcow2Image image, int writer, long[] begun, long[] done)
    {
        var random = new Random(writer);
        byte[] data = new byte[SectorSize];
        int own = begun.Length / Writers;
        for (int i = TestRounds.Times(1500); i > 0; i--)
        {
            int sector = (random.Next(own) * Writers) + writer;
            long version = begun[sector] + 1;
            MemoryMarshal.Cast<byte, long>(data.AsSpan()).Fill(version);
            Volatile.Write(ref begun[sector], version);
            image.Write((long)sector * SectorSize, data);
            Volatile.Write(ref done[sector], version);
        }
    }

    private static void Read(Qcow2Image image, int reader, byte[] start, long[] begun, long[] done, CancellationToken stop)
    {
        var random = new Random(1000 + reader);
        const int Most = 64;
        byte[] data = new byte[Most * SectorSize];
        long[] least = new long[Most];
        while (!stop.IsCancellationRequested)
        {
            int count = random.Next(1, Most);
            int first = random.Next(begun.Length - count);
            for (int i = 0; i < count; i++)
            {
                least[i] = Volatile.Read(ref done[first + i]);
            }

            image.Read((long)first * SectorSize, data.AsSpan(0, count * SectorSize));
            for (int i = 0; i < count; i++)
            {
                long most = Volatile.Read(ref begun[first + i]);
                Span<byte> sector = data.AsSpan(i * SectorSize, SectorSize);
                long version = MemoryMarshal.Read<long>(sector);
                bool isStart = least[i] == 0 && sector.SequenceEqual(start.AsSpan((first + i) * SectorSize, SectorSize));
                bool isVersion = version >= least[i] && version <= most && !MemoryMarshal.Cast<byte, long>(sector).ContainsAnyExcept(version);
                Assert.True(isStart || isVersion, $"Sector {first + i} reads version {version}; it was between {least[i]} and {most}.");
            }

            if (random.Next(20) == 0)
            {
                Assert.Equal(image.Length, image.GetExtents().Sum(extent => extent.Length));
            }
        }
    }

    private static void Flush(Qcow2Image image, CancellationToken stop)
    {
        while (!stop.WaitHandle.WaitOne(1))
        {
            image.Flush();
        }
    }

    private MemoryStorage MakeImage(string name)
    {
        if (name.StartsWith("fixture:", StringComparison.Ordinal))
        {
            Fixture fixture = Fixtures.Get(name["fixture:".Length..]);
            return new MemoryStorage(File.ReadAllBytes(fixture.Path), _folder.File(fixture.File));
        }

        var storage = new MemoryStorage([]);
        Qcow2Image.Create(storage, 4 << 20, new Qcow2CreateOptions
        {
            ClusterSize = name == "small-clusters" ? 512 : 65_536,
            ExtendedL2 = name == "extended",
            RefcountBits = name == "small-clusters" ? 64 : 16,
        }).Dispose();
        return storage;
    }
}
