using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Tests.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhdx;

/// <summary>New VHDX files, byte for byte, and what they are refused for.</summary>
public sealed class VhdxWritingTests : IDisposable
{
    private const int MiB = 1 << 20;
    private const long GiB = 1L << 30;
    private const long TiB = 1L << 40;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void File_is_laid_out_as_by_Windows(bool isFixed)
    {
        byte[] content = new byte[10 * MiB];
        content[5] = 1;
        content[9 * MiB] = 2;

        byte[] file = Convert(content, new VhdxCreateOptions { IsFixed = isFixed });

        Assert.Equal(isFixed ? 14 * MiB : 36 * MiB, file.Length); // Of samples by Windows.
        Assert.Equal("vhdxfileQcow2 for PowerShell", Encoding.ASCII.GetString(file, 0, 8) + Encoding.Unicode.GetString(file, 8, 512).TrimEnd('\0'));
        AssertHeader(file.AsSpan(64 << 10, 4096), 1);
        AssertHeader(file.AsSpan(128 << 10, 4096), 2);
        AssertRegions(file.AsSpan(192 << 10, 64 << 10));
        Assert.True(file.AsSpan(192 << 10, 64 << 10).SequenceEqual(file.AsSpan(256 << 10, 64 << 10)));
        Assert.False(file.AsSpan(320 << 10, (2 * MiB) - (320 << 10)).ContainsAnyExcept((byte)0)); // The log is empty.
        AssertMetadata(file.AsSpan(2 * MiB, MiB), isFixed);
        ulong[] entries = [.. Enumerable.Range(0, 6).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan((3 * MiB) + (8 * i))))];
        Assert.Equal(isFixed ? [0x400006, 0x600006, 0x800006, 0xa00006, 0xc00006, 0] : [0x400006, 0, 0, 0, 0, 0], entries);
        Assert.Equal(1, file[(4 * MiB) + 5]);
        Assert.Equal(2, file[13 * MiB]);
    }

    /// <summary>After each chunk the table has an entry for a bitmap, and a chunk can be as large as the table's pages or much larger.</summary>
    [Theory]
    [InlineData(1, 4096, 32_768)]
    [InlineData(1, 512, 4096)]
    [InlineData(32, 512, 128)]
    [InlineData(256, 512, 16)]
    [InlineData(2, 4096, 16_384)]
    public void Blocks_on_both_sides_of_a_chunk_are_found(int blockMiB, int sectorSize, long ratio)
    {
        long chunk = ratio * blockMiB * MiB;
        long size = (2 * chunk) + (blockMiB * MiB);
        long[] places = [0, chunk - 512, chunk, chunk + (blockMiB * MiB), (2 * chunk) - 512, 2 * chunk, size - 512];
        string path = _folder.File("disk.vhdx");
        var layout = new VhdxCreateOptions { BlockSize = blockMiB * MiB, LogicalSectorSize = sectorSize };
        using (Qcow2Image source = SparseSource.Make(_folder.File("source.qcow2"), size, places))
        {
            DiskConverter.Convert(source, path, layout);
        }

        SparseSource.AssertCopied(path, "vhdx", size, places);
        using FileStream file = File.OpenRead(path);
        long[] used = [.. places.Select(place => place / (blockMiB * MiB)).Distinct()];
        for (int i = 0; i < used.Length; i++)
        {
            Assert.Equal(6u, Entry(file, used[i] + (used[i] / ratio)) & 7);
        }

        Assert.Equal(0u, Entry(file, ratio)); // Those of the bitmaps.
        Assert.Equal(0u, Entry(file, (2 * ratio) + 1));
    }

    /// <summary>A table of more than a MiB: data begins behind it.</summary>
    [Fact]
    public void Largest_disk_has_room_for_its_table()
    {
        var layout = new VhdxCreateOptions { BlockSize = MiB };
        long[] places = [0, (32 * TiB) + 512, (64 * TiB) - 512];
        string path = _folder.File("disk.vhdx");
        using (Qcow2Image source = SparseSource.Make(_folder.File("source.qcow2"), 64 * TiB, places))
        {
            DiskConverter.Convert(source, path, layout);
        }

        // 2^26 blocks and 2^14 - 1 entries of bitmaps, of 8 bytes each.
        Assert.Equal((3 + 513 + 3) * MiB, new FileInfo(path).Length);
        using VirtualDisk disk = DiskFormats.Get("vhdx").Open(path);
        SparseSource.AssertThere(disk, 64 * TiB, places); // To go through all of the table would take long.
    }

    [Theory]
    [InlineData(1, 512, 512)]
    [InlineData(513, 512, 1024)]
    [InlineData(1, 4096, 4096)]
    [InlineData(MiB + 512, 4096, MiB + 4096)]
    [InlineData(64 * TiB, 4096, 64 * TiB)]
    public void Disk_has_whole_sectors(long size, int sectorSize, long rounded)
        => Assert.Equal(rounded, new VhdxCreateOptions { LogicalSectorSize = sectorSize }.DiskSizeFor(size));

    [Theory]
    [InlineData(0)]
    [InlineData((64 * TiB) + 1)]
    public void Sizes_that_no_disk_can_have_are_refused(long size)
        => Assert.Equal(Qcow2ErrorCode.LimitExceeded, Assert.Throws<Qcow2Exception>(() => VhdxCreateOptions.Default.DiskSizeFor(size)).Code);

    [Theory]
    [InlineData(512 << 10, 512, 4096)]
    [InlineData(512 * MiB, 512, 4096)]
    [InlineData(3 * MiB, 512, 4096)]
    [InlineData(MiB, 1024, 4096)]
    [InlineData(MiB, 512, 8192)]
    [InlineData(MiB, 4096, 512)]
    public void What_the_format_does_not_have_is_refused(int blockSize, int logical, int physical)
        => Assert.Throws<ArgumentException>(
            () => new VhdxCreateOptions { BlockSize = blockSize, LogicalSectorSize = logical, PhysicalSectorSize = physical }.DiskSizeFor(MiB));

    [Fact]
    public void Information_shows_what_was_asked_for()
    {
        Convert(new byte[MiB], new VhdxCreateOptions { BlockSize = 8 * MiB, LogicalSectorSize = 4096, IsFixed = true });
        Qcow2ImageInfo info = DiskFormats.Get("vhdx").ReadInformation(_folder.File("disk.vhdx"));
        Assert.Equal(("Fixed", 8 * MiB, 4096, 4096), (info.Subformat, info.ClusterSize, info.LogicalSectorSize, info.PhysicalSectorSize));
        Assert.False(info.Vhdx!.HasLog);
        Assert.Equal(4, ((string[])[info.DiskIdentifier!, info.Vhdx.DataWriteId, info.Vhdx.FileWriteId, $"{Guid.Empty}"]).Distinct().Count());
    }

    private static ulong Entry(FileStream file, long index)
    {
        byte[] entry = new byte[8];
        file.Position = (3 * MiB) + (8 * index);
        file.ReadExactly(entry);
        return BinaryPrimitives.ReadUInt64LittleEndian(entry);
    }

    private static void AssertHeader(ReadOnlySpan<byte> header, ulong sequence)
    {
        Assert.Equal("head"u8, header[..4]);
        Assert.Equal(sequence, BinaryPrimitives.ReadUInt64LittleEndian(header[8..]));
        Assert.Equal(Id(2), new Guid(header.Slice(16, 16)));
        Assert.Equal(Id(3), new Guid(header.Slice(32, 16)));
        Assert.Equal(Guid.Empty, new Guid(header.Slice(48, 16)));
        Assert.Equal("00000100000010000000100000000000", System.Convert.ToHexString(header.Slice(64, 16)));
        Assert.False(header[80..].ContainsAnyExcept((byte)0));
        AssertSum(header);
    }

    private static void AssertRegions(ReadOnlySpan<byte> table)
    {
        Assert.Equal("regi"u8, table[..4]);
        Assert.Equal(2u, BinaryPrimitives.ReadUInt32LittleEndian(table[8..]));
        Assert.Equal(
            "6677C22D23F600429D64115E9BFD4A08" + "0000300000000000" + "00001000" + "01000000"
            + "06A27C8B90479A4BB8FE575F050F886E" + "0000200000000000" + "00001000" + "01000000",
            System.Convert.ToHexString(table.Slice(16, 64)));
        Assert.False(table[80..].ContainsAnyExcept((byte)0));
        AssertSum(table);
    }

    /// <summary>The items, and their order and flags, are those of Windows.</summary>
    private static void AssertMetadata(ReadOnlySpan<byte> region, bool isFixed)
    {
        Assert.Equal("metadata"u8, region[..8]);
        Assert.Equal("0000" + "0500", System.Convert.ToHexString(region.Slice(8, 4)));
        (string Id, int Offset, int Length, int Flags, string Value)[] items =
        [
            ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", 0x10000, 8, 4, isFixed ? "0000200001000000" : "0000000200000000"),
            ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", 0x10008, 8, 6, "0000A00000000000"),
            ("8141bf1d-a96f-4709-ba47-f233a8faab5f", 0x10010, 4, 6, "00020000"),
            ("cda348c7-445d-4471-9cc9-e9885251c556", 0x10014, 4, 6, "00100000"),
            ("beca12ab-b2e6-4523-93ef-c309e000c746", 0x10018, 16, 6, System.Convert.ToHexString(Id(1).ToByteArray())),
        ];
        for (int i = 0; i < items.Length; i++)
        {
            ReadOnlySpan<byte> entry = region.Slice(32 * (i + 1), 32);
            Assert.Equal(items[i].Id, new Guid(entry[..16]).ToString());
            Assert.Equal([items[i].Offset, items[i].Length, items[i].Flags, 0], MemoryMarshal.Cast<byte, int>(entry.Slice(16, 16)));
            Assert.Equal(items[i].Value, System.Convert.ToHexString(region.Slice(items[i].Offset, items[i].Length)));
        }
    }

    private static void AssertSum(ReadOnlySpan<byte> bytes)
    {
        byte[] copy = bytes.ToArray();
        copy.AsSpan(4, 4).Clear();
        Assert.Equal(Crc32C.Of(copy), BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]));
    }

    private static Guid Id(int number) => new(number, 1, 2, [3, 4, 5, 6, 7, 8, 9, 10]);

    private byte[] Convert(byte[] content, VhdxCreateOptions layout)
    {
        string path = _folder.File("disk.vhdx");
        using (RawDisk source = RawDisk.Open(new MemoryStorage(content)))
        {
            DiskConverter.Convert(source, path, BlockLayouts.Foreseeable(layout), overwrite: true);
        }

        return File.ReadAllBytes(path);
    }
}
