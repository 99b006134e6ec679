using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Formats.Vdi;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vdi;

/// <summary>New VDI files, laid out as VirtualBox does it, and what they are refused for. What they show is tested with all files of blocks.</summary>
public sealed class VdiWritingTests : IDisposable
{
    private const int MiB = 1 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, "0", 1)]
    [InlineData(false, "0", MiB)]
    [InlineData(false, "0 f 1", (3 * MiB) - 512)]
    [InlineData(true, "0 1 2", (3 * MiB) - 512)]
    [InlineData(true, "0 1 2 3", (3 * MiB) + 1)]
    public void File_is_laid_out_as_by_VirtualBox(bool isFixed, string map, int size)
    {
        byte[] content = new byte[size];
        content.AsSpan(0, size / 3).Fill(1);
        content.AsSpan(size - (size / 4)).Fill(2);
        if (size == 1)
        {
            content[0] = 3;
        }

        byte[] file = Convert(content, new VdiCreateOptions { IsFixed = isFixed, NewId = Ids() });

        Assert.Equal("<<< Oracle VM VirtualBox Disk Image >>>\n", Encoding.ASCII.GetString(file, 0, 64).TrimEnd('\0'));
        uint[] used = [.. map.Split(' ').Select(index => index == "f" ? uint.MaxValue : uint.Parse(index, null))];
        uint blocks = (uint)used.Length;
        uint allocated = (uint)used.Count(index => index != uint.MaxValue);
        Assert.Equal(
            [
                0xbeda_107f, 0x0001_0001, 0x190, isFixed ? 2u : 1u, 0, // signature, version, header, type, flags
            ],
            Words(file, 64, 5));
        Assert.False(file.AsSpan(84, 256).ContainsAnyExcept((byte)0)); // comment
        Assert.Equal(
            [
                MiB, 2 * MiB, 0, 0, 0, 512, 0, // map, data, geometry that is made up when it is needed, sectors
                (uint)DiskSize.RoundUp(size), 0, MiB, 0, blocks, allocated,
            ],
            Words(file, 340, 13));
        Assert.Equal(new Guid(1, 2, 3, new byte[8]), new Guid(file.AsSpan(392, 16)));
        Assert.Equal(new Guid(2, 2, 3, new byte[8]), new Guid(file.AsSpan(408, 16)));
        Assert.False(file.AsSpan(424, 32).ContainsAnyExcept((byte)0)); // no parent
        Assert.Equal([0, 0, 0, 512], Words(file, 456, 4)); // The other geometry: VirtualBox refuses a file that has it without its size of a sector.
        Assert.False(file.AsSpan(472, MiB - 472).ContainsAnyExcept((byte)0));
        Assert.Equal(used, Words(file, MiB, used.Length));
        Assert.False(file.AsSpan(MiB + (4 * used.Length), MiB - (4 * used.Length)).ContainsAnyExcept((byte)0));
        Assert.Equal((2 + allocated) * MiB, (uint)file.Length);
        foreach ((uint index, int block) in used.Select((index, block) => (index, block)).Where(pair => pair.index != uint.MaxValue))
        {
            byte[] expected = content[(block * MiB)..Math.Min(size, (block + 1) * MiB)];
            Assert.True(file.AsSpan((int)(2 + index) * MiB, expected.Length).SequenceEqual(expected), $"block {block}");
            Assert.False(file.AsSpan(((int)(2 + index) * MiB) + expected.Length, MiB - expected.Length).ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public void Ids_are_new_each_time()
    {
        var ids = new HashSet<Guid> { Guid.Empty };
        for (int i = 0; i < 2; i++)
        {
            Convert(new byte[512], VdiCreateOptions.Default);
            using LocalFile file = LocalFile.OpenRead(_folder.File("disk.vdi"));
            var header = VdiHeader.Load(file);
            Assert.True(ids.Add(header.Id) && ids.Add(header.ModificationId));
        }
    }

    /// <summary>The map of 40 GiB has 160 KiB, more than two of the pages of which one is in memory, and there is data in some of them only.</summary>
    [Theory]
    [InlineData(40)]
    [InlineData(1024)]
    public void Large_map_leads_to_every_block(int gibibytes)
    {
        long size = (((long)gibibytes << 30) / MiB * MiB) + 512;
        long[] places = [0, (16L << 30) - 512, 16L << 30, (33L << 30) + (5 * MiB) - 512, size - 512];
        string original = _folder.File("source.qcow2");
        string path = _folder.File("disk.vdi");
        using (Qcow2Image source = SparseSource.Make(original, size, places))
        {
            DiskConverter.Convert(source, path, VdiCreateOptions.Default);
        }

        using (LocalFile file = LocalFile.OpenRead(path))
        {
            var header = VdiHeader.Load(file);
            Assert.Equal((5L, gibibytes == 40 ? 2L * MiB : 6 * MiB), (header.AllocatedBlocks, header.DataOffset));
            Assert.Equal(header.DataOffset + (5 * MiB), file.Length);
        }

        SparseSource.AssertCopied(path, "vdi", size, places);
        if (QemuImg.IsAvailable)
        {
            Assert.Contains("identical", QemuImg.Run("compare", "-f", "qcow2", "-F", "vdi", original, path), StringComparison.Ordinal);
            Assert.Contains("No errors", QemuImg.Run("check", "-f", "vdi", path), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(512L, 2)]
    [InlineData(256L << 30, 2)]
    [InlineData((256L << 30) + 512, 3)]
    [InlineData(1L << 40, 5)]
    public void Data_begins_at_the_whole_MiB_behind_the_map(long size, int mebibytes)
        => Assert.Equal((long)mebibytes * MiB, VdiNewLayout.DataOffsetOf(size));

    [Fact]
    public void Largest_disk_has_its_map_where_offsets_of_32_bits_reach()
    {
        Assert.Equal(VdiNewLayout.MaxDiskSize, VdiCreateOptions.Default.DiskSizeFor(VdiNewLayout.MaxDiskSize));
        Assert.InRange(VdiNewLayout.DataOffsetOf(VdiNewLayout.MaxDiskSize), 2L << 30, uint.MaxValue);
        string path = _folder.File("disk.vdi");
        foreach (long size in (long[])[0, VdiNewLayout.MaxDiskSize + 1])
        {
            var error = Assert.Throws<Qcow2Exception>(() => VdiCreateOptions.Default.CreateFile(path, size, overwrite: false, null, default));
            Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private byte[] Convert(byte[] content, VdiCreateOptions layout)
    {
        string path = _folder.File("disk.vdi");
        using (RawDisk source = RawDisk.Open(new MemoryStorage(content)))
        {
            DiskConverter.Convert(source, path, layout, overwrite: true);
        }

        return File.ReadAllBytes(path);
    }

    private static Func<Guid> Ids()
    {
        int last = 0;
        return () => new Guid(++last, 2, 3, new byte[8]);
    }

    private static uint[] Words(byte[] bytes, int at, int count)
        => [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + (4 * i))))];
}
