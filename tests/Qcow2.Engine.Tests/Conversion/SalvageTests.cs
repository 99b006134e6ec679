using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>What cannot be read is given up by the sector, the compressed cluster or the part of a table that it lies in.</summary>
public sealed class SalvageTests : IDisposable
{
    private const int Cluster = 65_536;
    private const int Size = (40 * Cluster) + 1000;

    private static readonly ConversionOptions Salvage = new() { Salvage = true, ThrottleLimit = 2 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(4096)]
    [InlineData(0)]
    public void Unreadable_sectors_are_zeros_and_listed(int sparseSize)
    {
        byte[] content = Content(Size);
        var storage = new MemoryStorage([.. content]);
        long[] bad = [0, 512 * 9, 512 * 10, 512 * 300, Size & ~511];
        storage.BeforeRead = FailAt(bad);
        using RawDisk source = RawDisk.Open(storage);
        using var raw = new MemoryStorage([]);

        Assert.Throws<IOException>(() => DiskConverter.ConvertToRaw(source, new MemoryStorage([]), Salvage with { Salvage = false }));
        ConversionResult result = DiskConverter.ConvertToRaw(source, raw, Salvage with { SparseSize = sparseSize });

        AssertSalvaged(
            content, raw.Content, result, [new(0, 512), new(512 * 9, 1024), new(512 * 300, 512), new(Size & ~511, Size - (Size & ~511))]);
    }

    [Theory]
    [InlineData(CompressionType.Deflate)]
    [InlineData(CompressionType.Zstd)]
    public void Damaged_compressed_cluster_is_given_up_whole(CompressionType type)
    {
        byte[] content = new byte[Size];
        for (int i = 0; i < Size; i += 37)
        {
            content[i] = (byte)(i / 99);
        }

        using var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, Size, new Qcow2CreateOptions { CompressionType = type }).ResizeExactly(Size))
        {
            for (int start = 0; start < Size; start += Cluster)
            {
                image.WriteCompressed(start, content.AsSpan(start, Math.Min(Cluster, Size - start)));
            }
        }

        byte[] file = storage.Content;
        CompressedClusterDescriptor damaged = new L2Entry(EntryAt(file, 7)).CompressedCluster(16);
        file.AsSpan((int)damaged.HostOffset + 2, 60).Fill(0xff);
        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file));
        using var raw = new MemoryStorage([]);

        Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(source, new MemoryStorage([]), Salvage with { Salvage = false }));
        ConversionResult result = DiskConverter.ConvertToRaw(source, raw, Salvage);

        AssertSalvaged(content, raw.Content, result, [new(7 * Cluster, Cluster)]);
    }

    [Fact]
    public void Damaged_entry_takes_its_cluster_with_it()
    {
        byte[] content = Content(Size);
        byte[] file = Image(content);
        SetEntry(file, 3, EntryAt(file, 3) | 0x200); // No offset of a cluster.
        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file));
        string path = _folder.File("copy.qcow2");

        Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToQcow2(source, path, options: Salvage with { Salvage = false }));
        Assert.False(File.Exists(path));
        ConversionResult result = DiskConverter.ConvertToQcow2(source, path, options: Salvage);

        using Qcow2Image copy = Qcow2Image.Open(path);
        AssertSalvaged(content, DiskModel.ReadAll(copy).AsSpan(0, Size).ToArray(), result, [new(3 * Cluster, Cluster)]);
    }

    [Fact]
    public void Table_past_the_end_of_the_file_takes_what_it_covers_with_it()
    {
        const long Covered = 8192L * Cluster;
        using var storage = new MemoryStorage([]);
        byte[] data = Content(3 * Cluster);
        using (Qcow2Image image = Qcow2Image.Create(storage, Covered * 2))
        {
            image.Write(0, data);
            image.Write(Covered, data);
        }

        byte[] file = storage.Content;
        int l1 = (int)U64(file, 40);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(l1), (1UL << 63) | (1UL << 40));
        var damaged = new MemoryStorage(file);
        using Qcow2Image source = Qcow2Image.Open(damaged);
        string path = _folder.File("copy.qcow2");

        Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToQcow2(source, path, options: Salvage with { Salvage = false }));
        ConversionResult result = DiskConverter.ConvertToQcow2(source, path, options: Salvage);

        Assert.Equal([new DiskRange(0, Covered)], result.Unreadable);
        using Qcow2Image copy = Qcow2Image.Open(path);
        byte[] behind = new byte[data.Length];
        copy.Read(Covered, behind);
        ConversionJudge.AssertSame("behind the table", data, behind);
        Assert.Equal(data.Length, copy.GetExtents().Where(extent => extent.Kind == ExtentKind.Data).Sum(extent => extent.Length));
    }

    /// <summary>A disk of the host that fails may answer the next time: what it refuses is not lost before each cluster was tried.</summary>
    [Fact]
    public void Table_that_the_host_reads_in_the_end_loses_nothing()
    {
        byte[] content = Content(Size);
        byte[] file = Image(content);
        int table = EntryOffset(file, 0);
        int refusals = 4; // All that come before each cluster is tried for itself.
        var storage = new MemoryStorage(file)
        {
            BeforeRead = (offset, length) =>
            {
                if (offset < table + Cluster && offset + length > table && Interlocked.Decrement(ref refusals) >= 0)
                {
                    throw new IOException("Input/output error");
                }
            },
        };
        using Qcow2Image source = Qcow2Image.Open(storage);
        using var raw = new MemoryStorage([]);

        ConversionResult result = DiskConverter.ConvertToRaw(source, raw, Salvage with { ThrottleLimit = 1 });

        Assert.True(refusals < 0);
        AssertSalvaged(content, raw.Content[..Size], result, []);
    }

    /// <summary>What is behind the end of a file that was cut in its first table is given up in no time, however large the disk is said to be.</summary>
    [Fact]
    public void First_table_that_was_cut_takes_what_it_covers_with_it_at_once()
    {
        const long Covered = 8192L * Cluster;
        const long Disk = 1L << 42; // Two million pieces, to read all of it.
        using var storage = new MemoryStorage([]);
        byte[] data = Content(3 * Cluster);
        using (Qcow2Image image = Qcow2Image.Create(storage, Disk))
        {
            image.Write(0, data);
        }

        byte[] file = storage.Content;
        int l1 = (int)U64(file, 40);
        byte[] cut = new byte[((file.Length + Cluster - 1) / Cluster * Cluster) + 8];
        file.CopyTo(cut, 0);
        file.AsSpan(l1, 8).CopyTo(cut.AsSpan(cut.Length - 8));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(cut.AsSpan(40), (ulong)cut.Length - 8);
        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(cut), new Qcow2OpenOptions { Salvage = true });
        string path = _folder.File("copy.qcow2");
        using var pieces = new FewPieces();

        ConversionResult result = DiskConverter.ConvertToQcow2(source, path, options: Salvage, progress: pieces, cancellationToken: pieces.Token);

        Assert.Equal([new DiskRange(Covered, Disk - Covered)], result.Unreadable);
        using Qcow2Image copy = Qcow2Image.Open(path);
        byte[] saved = new byte[data.Length];
        copy.Read(0, saved);
        ConversionJudge.AssertSame("before the end", data, saved);
    }

    [Fact]
    public void Passphrase_is_needed_all_the_same()
    {
        using Qcow2Image source = Qcow2Image.Open(Fixtures.Get("luks").Path);

        var error = Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(source, new MemoryStorage([]), Salvage));

        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, error.Code);
    }

    /// <summary>Stops what would go on for minutes.</summary>
    private sealed class FewPieces : IProgress<WorkProgress>, IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private int _count;

        internal CancellationToken Token => _stop.Token;

        public void Report(WorkProgress value)
        {
            if (Interlocked.Increment(ref _count) > 100_000)
            {
                _stop.Cancel();
            }
        }

        public void Dispose() => _stop.Dispose();
    }

    private static void AssertSalvaged(byte[] content, byte[] copy, ConversionResult result, DiskRange[] unreadable)
    {
        Assert.Equal(unreadable, result.Unreadable);
        byte[] expected = [.. content];
        foreach (DiskRange range in unreadable)
        {
            expected.AsSpan((int)range.Offset, (int)range.Length).Clear();
        }

        ConversionJudge.AssertSame("salvaged", expected, copy);
    }

    private static Action<long, int> FailAt(long[] bad) => (offset, length) =>
    {
        if (bad.Any(at => at < offset + length && offset < at + 512))
        {
            throw new IOException("Input/output error");
        }
    };

    private static byte[] Image(byte[] content)
    {
        using var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, content.Length))
        {
            image.Write(0, content);
        }

        return storage.Content;
    }

    private static ulong U64(byte[] file, int at) => System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(at));

    private static int EntryOffset(byte[] file, int cluster) => (int)(U64(file, (int)U64(file, 40)) & 0x00ff_ffff_ffff_fe00) + (cluster * 8);

    private static ulong EntryAt(byte[] file, int cluster) => U64(file, EntryOffset(file, cluster));

    /// <summary>An L1 table of 32 entries at the end of the file, of which the file has four.</summary>
    [Fact]
    public void L1_table_that_does_not_end_in_the_file_is_read_as_far_as_it_goes()
    {
        const int Covered = 2 << 20;
        BuiltImage built = new ImageBuilder { Size = 64 << 20, DataClusters = 4 }.Build();
        byte[] table = built.Bytes[built.L1Offset..(built.L1Offset + 32)];
        byte[] file = built.SetU64(HeaderOffset.L1TableOffset, (uint)built.Bytes.Length).Append(table).Bytes;
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage(file)));

        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file), new Qcow2OpenOptions { Salvage = true });
        using var raw = new MemoryStorage([]);
        Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(source, new MemoryStorage([]), Salvage with { Salvage = false }));
        ConversionResult result = DiskConverter.ConvertToRaw(source, raw, Salvage);
        byte[] disk = new byte[64 << 20];
        built.Guest.CopyTo(disk, 0);
        AssertSalvaged(disk, raw.Content, result, [new(4 * Covered, (64 << 20) - (4 * Covered))]);
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage(file), new Qcow2OpenOptions { Salvage = true, Writable = true }));
    }

    [Fact]
    public void Where_the_active_table_is_lost_the_snapshots_can_be_saved_and_nothing_passes_for_the_disk()
    {
        BuiltImage built = new ImageBuilder { DataClusters = 4, Snapshots = [new("1", "before")] }.Build();
        byte[] file = built.SetU64(HeaderOffset.L1TableOffset, 0x4000_0000).Bytes;
        Assert.Contains("'before'", Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage(file))).Message, StringComparison.Ordinal);

        var warnings = new List<string>();
        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file), new Qcow2OpenOptions { Salvage = true, OnProblem = warnings.Add });
        Assert.Contains("'before'", Assert.Single(warnings), StringComparison.Ordinal);

        using var nothing = new MemoryStorage([]);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => DiskConverter.ConvertToRaw(source, nothing, Salvage));
        Assert.Contains("Nothing of the disk could be saved", error.Message, StringComparison.Ordinal);

        using VirtualDisk snapshot = source.OpenSnapshot(source.Snapshots[0]);
        using var raw = new MemoryStorage([]);
        ConversionResult result = DiskConverter.ConvertToRaw(snapshot, raw, Salvage);
        AssertSalvaged(built.Guest, raw.Content, result, []);
    }

    [Theory]
    [InlineData(HeaderOffset.RefcountTableOffset, 0x1234UL)]
    [InlineData(HeaderOffset.RefcountTableClusters, 0xffff_ffff_0000_0000UL)]
    public void Header_that_is_damaged_in_what_writers_need_is_enough(int offset, ulong value)
    {
        BuiltImage built = new ImageBuilder { DataClusters = 4 }.Build();
        byte[] file = built.SetU64(offset, value).Bytes;
        Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage(file)));
        using Qcow2Image source = Qcow2Image.Open(new MemoryStorage(file), new Qcow2OpenOptions { Salvage = true });
        using var raw = new MemoryStorage([]);
        ConversionResult result = DiskConverter.ConvertToRaw(source, raw, Salvage);
        AssertSalvaged(built.Guest, raw.Content, result, []);
    }

    private static void SetEntry(byte[] file, int cluster, ulong value)
        => System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(EntryOffset(file, cluster)), value);

    private static byte[] Content(int length)
    {
        byte[] content = new byte[length];
        new Random(4).NextBytes(content);
        return content;
    }
}
