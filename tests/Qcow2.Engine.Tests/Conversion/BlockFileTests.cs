using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>What every new file of blocks must do: show its disk to everybody, be as long as was said, and not depend on threads.</summary>
public sealed class BlockFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Names => [.. BlockLayouts.All.Keys];

    public static TheoryData<string> FixtureNames => Fixtures.WithContent;

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, TestRounds.Times(36))];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Numbers))]
    public void Shows_a_random_disk_to_every_reader(int number)
    {
        int seed = TestRounds.Seed("block files") + number;
        var random = new Random(seed);
        (string name, BlockCreateOptions layout) = BlockLayouts.All.ElementAt(number % BlockLayouts.All.Count);
        int[] edges = [1, 511, 512, 513, (1 << 20) - 512, 1 << 20, (1 << 20) + 512, (2 << 20) - 512, 4 << 20];
        int size = random.Next(3) == 0 ? edges[random.Next(edges.Length)] : random.Next(1, 11 << 20);
        byte[] content = BlockLayouts.RandomContent(random, size);
        var options = new ConversionOptions
        {
            ThrottleLimit = random.Next(1, 4),
            SparseSize = random.Next(6) == 0 ? 0 : 512 << random.Next(13),
        };
        string label = $"QCOW2_TEST_SEED={seed}, {name}, {content.Length} bytes, {options}";
        string path = _folder.File("disk");
        using (RawDisk source = RawDisk.Open(new MemoryStorage(content)))
        {
            DiskConverter.Convert(source, path, layout, options: options);
        }

        byte[] whole = [.. content, .. new byte[layout.DiskSizeFor(size) - size]];
        OtherReaders.AssertShow(label, path, layout, whole, _folder);
        AssertLength(layout, SizeOf(layout, size, content, options.SparseSize), path);

        string back = _folder.File("back.qcow2");
        using (VirtualDisk disk = DiskFormats.Get(layout.FormatName).Open(path))
        {
            DiskConverter.ConvertToQcow2(disk, back);
        }

        ConversionJudge.AssertImage(label, whole, back, asksQemu: false);
    }

    /// <summary>Each fixture in one layout; they take turns.</summary>
    [Theory, MemberData(nameof(FixtureNames))]
    public void Shows_the_disk_of_a_fixture(string name)
    {
        int number = Fixtures.All.Select(one => one.Name).ToList().IndexOf(name);
        using Qcow2Image source = Fixtures.Get(name).Open();
        byte[] content = DiskModel.ReadAll(source);
        (string layoutName, BlockCreateOptions layout) = BlockLayouts.All.ElementAt(number % BlockLayouts.All.Count);
        if (content.Length == 0 && layout is VhdxCreateOptions or VdiCreateOptions)
        {
            layout = VhdCreateOptions.Default; // VHDX and VDI have no such disk.
        }

        string path = _folder.File("disk");
        DiskConverter.Convert(source, path, layout);

        using VirtualDisk copy = DiskFormats.Get(layout.FormatName).Open(path);
        byte[] read = new byte[layout.DiskSizeFor(content.Length)];
        Assert.Equal(read.Length, copy.Length);
        copy.Read(0, read);
        ConversionJudge.AssertSame($"{name} as {layoutName}", [.. content, .. new byte[read.Length - content.Length]], read);
    }

    [Theory, MemberData(nameof(Names))]
    public void Does_not_depend_on_the_number_of_threads(string name)
    {
        byte[] content = BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), (9 << 20) + 12_288);
        byte[]? first = null;
        foreach (int threads in (int[])[1, 2, 8])
        {
            string path = _folder.File("disk");
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));

            DiskConverter.Convert(
                source, path, BlockLayouts.Foreseeable(BlockLayouts.All[name]), overwrite: true, new ConversionOptions { ThrottleLimit = threads });

            byte[] made = [.. File.ReadAllBytes(path), .. BlockLayouts.FilesOf(BlockLayouts.All[name], path).SelectMany(File.ReadAllBytes)];
            first ??= made;
            ConversionJudge.AssertSame($"{threads} threads", first, made);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Is_empty_and_as_long_as_was_said(string name)
    {
        BlockCreateOptions layout = BlockLayouts.All[name];
        foreach (long size in (long[])[512, (5 << 20) + 1024])
        {
            string path = _folder.File("disk");

            layout.CreateFile(path, size, overwrite: true, null, default);

            OtherReaders.AssertShow($"{name}, {size}", path, layout, new byte[layout.DiskSizeFor(size)], _folder);
            Assert.Equal(ImageMeasure.Of(size, layout).RequiredBytes, BlockLayouts.LengthOf(layout, path));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Is_as_long_as_was_said_of_a_disk(string name)
    {
        BlockCreateOptions layout = BlockLayouts.All[name];
        byte[] content = BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), (9 << 20) + 512);
        string source = _folder.File("source.qcow2");
        using (RawDisk raw = RawDisk.Open(new MemoryStorage(content)))
        {
            // Clusters of sectors: what the map calls data is data, in each of them.
            DiskConverter.ConvertToQcow2(raw, source, new Qcow2CreateOptions { ClusterSize = 512 }, options: new ConversionOptions { SparseSize = 512 });
        }

        using VirtualDisk disk = DiskFormats.Get("qcow2").Open(source);
        Qcow2MeasureResult said = ImageMeasure.Of(disk, layout);
        string path = _folder.File("disk");
        DiskConverter.Convert(disk, path, layout);
        AssertLength(layout, said.RequiredBytes, path);

        DiskConverter.Convert(disk, path, layout, overwrite: true, new ConversionOptions { SparseSize = 0 });
        AssertLength(layout, said.FullyAllocatedBytes, path);
    }

    /// <summary>On a host without holes, what is skipped must be filled by it up to the next write: a second write there would cost that again.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Writes_the_blocks_in_the_order_of_the_file(string name)
    {
        byte[] content = BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), 12 << 20);
        var writes = new List<long>();
        BlockCreateOptions layout = BlockLayouts.All[name] with
        {
            Through = file => new WatchedStorage(file, (offset, _) =>
            {
                lock (writes)
                {
                    writes.Add(offset);
                }
            }),
        };
        using (RawDisk source = RawDisk.Open(new MemoryStorage(content)))
        {
            DiskConverter.Convert(source, _folder.File("disk"), layout, options: new ConversionOptions { ThrottleLimit = 3 });
        }

        // Tables and headers, which come last, lie before the blocks, and a footer behind them.
        long first = writes[0];
        long[] blocks = [.. writes.Where(offset => offset >= first)];
        Assert.True(blocks.Length > 4, $"{blocks.Length} writes");
        Assert.Equal(blocks.Order(), blocks);
    }

    /// <summary>Windows fills a fixed file with zeros up to a write, all at once: it is led along, so that it can be stopped in between.</summary>
    [Theory]
    [InlineData("vhd fixed", true)]
    [InlineData("vhd fixed", false)]
    [InlineData("vhdx fixed", true)]
    [InlineData("vhdx fixed", false)]
    public void Fixed_file_is_filled_step_by_step_where_the_host_fills_it(string name, bool isEmpty)
    {
        const long Size = 270 << 20;
        string path = _folder.File("disk");
        using Qcow2Image disk = SparseSource.Make(_folder.File("source.qcow2"), Size, [0, 200 << 20]);
        using var stop = new CancellationTokenSource();
        long reached = 0;
        long longest = 0;
        int writes = 0;
        int last = int.MaxValue;
        BlockCreateOptions layout = BlockLayouts.Foreseeable(BlockLayouts.All[name]) with
        {
            FillsSkipped = true,
            Through = file => new WatchedStorage(file, (offset, length) =>
            {
                longest = Math.Max(longest, offset - reached);
                reached = Math.Max(reached, offset + length);
                if (++writes == last)
                {
                    stop.Cancel();
                }
            }),
        };
        void Make(BlockCreateOptions layout, string path)
        {
            if (isEmpty)
            {
                layout.CreateFile(path, Size, overwrite: false, null, stop.Token);
                return;
            }

            DiskConverter.Convert(disk, path, layout, options: new ConversionOptions { ThrottleLimit = 2 }, cancellationToken: stop.Token);
        }

        Make(layout, path);

        int all = writes;
        Assert.InRange(longest, 1 << 20, 133 << 20); // With what a VHDX has before its blocks.
        Make(BlockLayouts.Foreseeable(BlockLayouts.All[name]) with { FillsSkipped = false }, _folder.File("other"));
        using (FileStream one = File.OpenRead(path), other = File.OpenRead(_folder.File("other")))
        {
            AssertSame(other, one);
        }

        (last, writes, reached) = (2, 0, 0);
        Assert.ThrowsAny<OperationCanceledException>(() => Make(layout, _folder.File("stopped")));
        Assert.InRange(writes, 2, all - 1); // What was on its way is finished.
        Assert.False(File.Exists(_folder.File("stopped")));
    }

    [Theory, MemberData(nameof(Names))]
    public void Fault_at_any_write_leaves_what_was_there(string name)
    {
        byte[] content = BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), 3 << 20);
        string path = _folder.Write("disk", "old"u8);
        int failures = 0;
        for (int at = 1; ; at += 1 + (at / 8))
        {
            int writes = 0;
            int failing = at;
            BlockCreateOptions layout = BlockLayouts.All[name] with
            {
                Through = file => new WatchedStorage(file, (_, _) => _ = Interlocked.Increment(ref writes) >= failing ? throw new IOException("No space left on device") : 0),
            };
            using RawDisk source = RawDisk.Open(new MemoryStorage([.. content]));

            Exception? error = Record.Exception(
                () => DiskConverter.Convert(source, path, layout, overwrite: true, new ConversionOptions { ThrottleLimit = 1 + (at % 3) }));

            if (error is null)
            {
                break;
            }

            Assert.Equal("No space left on device", Assert.IsType<IOException>(error).Message);
            Assert.Equal("old", File.ReadAllText(path));
            Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
            failures++;
        }

        Assert.True(failures > 1, $"{failures} writes failed.");
    }

    [Theory, MemberData(nameof(Names))]
    public void Cancelled_conversion_leaves_nothing(string name)
    {
        byte[] content = BlockLayouts.RandomContent(new Random(TestRounds.Seed(name)), 7 << 20);
        for (int after = 0; after < 4; after++)
        {
            using var stop = new CancellationTokenSource();
            int reads = 0;
            int last = after;
            var storage = new MemoryStorage([.. content]);
            storage.BeforeRead = (_, _) =>
            {
                if (Interlocked.Increment(ref reads) > last)
                {
                    stop.Cancel();
                }
            };
            using RawDisk source = RawDisk.Open(storage);

            Exception? error = Record.Exception(() => DiskConverter.Convert(
                source, _folder.File("disk"), BlockLayouts.All[name], options: new ConversionOptions { ThrottleLimit = 2 }, cancellationToken: stop.Token));

            Assert.IsType<OperationCanceledException>(error, exactMatch: false);
            Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Needs_a_size_that_a_disk_can_have(string name)
    {
        BlockCreateOptions layout = BlockLayouts.All[name];
        foreach (long size in (long[])[-1, long.MinValue])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => ImageMeasure.Of(size, layout));
            Assert.Throws<ArgumentOutOfRangeException>(() => layout.CreateFile(_folder.File("disk"), size, overwrite: false, null, default));
        }

        Assert.Throws<ArgumentException>(() => layout.CreateFile(_folder.File("disk"), null, overwrite: false, null, default));
        Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => layout.CreateFile(_folder.File("disk"), long.MaxValue, overwrite: false, null, default)).Code);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory, MemberData(nameof(Names))]
    public void Has_no_bitmaps_and_is_not_compressed(string name)
    {
        using RawDisk source = RawDisk.Open(new MemoryStorage(new byte[1 << 20]));
        foreach (ConversionOptions options in (ConversionOptions[])[new() { Compress = true }, new() { CopyBitmaps = true }])
        {
            if (options.Compress && BlockLayouts.All[name].IsCompressed)
            {
                continue; // Always.
            }

            Assert.Throws<ArgumentException>(() => DiskConverter.Convert(source, _folder.File("disk"), BlockLayouts.All[name], options: options));
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    /// <summary>Of what is compressed the length that it could have at most is said.</summary>
    private static void AssertLength(BlockCreateOptions layout, long said, string path)
    {
        long length = BlockLayouts.LengthOf(layout, path);
        Assert.InRange(length, BlockLayouts.IsLengthKnown(layout) ? said : 0, said);
    }

    private static void AssertSame(FileStream expected, FileStream actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        byte[] one = new byte[1 << 20];
        byte[] other = new byte[1 << 20];
        for (int count = 1; count > 0;)
        {
            count = expected.ReadAtLeast(one, one.Length, throwOnEndOfStream: false);
            actual.ReadExactly(other, 0, count);
            Assert.True(one.AsSpan(0, count).SequenceEqual(other.AsSpan(0, count)), $"They differ before 0x{actual.Position:x}.");
        }
    }

    /// <summary>What a file's length must be, counted from the disk itself.</summary>
    private static long SizeOf(BlockCreateOptions layout, long size, byte[] content, int sparseSize)
    {
        Qcow2MeasureResult empty = ImageMeasure.Of(size, layout);
        long blockSize = layout switch
        {
            VhdCreateOptions vhd => vhd.BlockSize ?? 2 << 20,
            VhdxCreateOptions vhdx => vhdx.BlockSize ?? 32 << 20,
            VmdkCreateOptions => 64 << 10,
            _ => 1 << 20,
        };
        long blocks = (layout.DiskSizeFor(size) + blockSize - 1) / blockSize;
        long perBlock = (empty.FullyAllocatedBytes - empty.RequiredBytes) / blocks;
        int used = 0;
        for (long start = 0; start < content.Length; start += blockSize)
        {
            ReadOnlySpan<byte> block = content.AsSpan((int)start, (int)Math.Min(blockSize, content.Length - start));
            used += sparseSize == 0 || block.ContainsAnyExcept((byte)0) ? 1 : 0;
        }

        return empty.RequiredBytes + (perBlock * used);
    }
}
