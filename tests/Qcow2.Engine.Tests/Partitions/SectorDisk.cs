using System.Buffers.Binary;
using System.IO.Compression;

namespace Qcow2.Engine.Tests.Partitions;

/// <summary>A disk of any size of which only some sectors were written, as the fixtures in <c>volumes/</c> have them.</summary>
internal sealed class SectorDisk(long length) : VirtualDisk
{
    private const int SectorSize = 512;
    private readonly Dictionary<long, byte[]> _sectors = [];
    private long _length = length;

    public override string Path => "/disks/sectors.raw";

    public override long Length => _length;

    public override int? LogicalSectorSize => Declared;

    public override bool CanWrite => true;

    /// <summary>The sector size that the disk declares.</summary>
    internal int? Declared { get; init; }

    /// <summary>From where to where the image is damaged.</summary>
    internal (long Start, long End) Damaged { get; set; }

    /// <summary>Bytes that were read.</summary>
    internal long BytesRead { get; private set; }

    internal static string Folder => System.IO.Path.Combine(AppContext.BaseDirectory, "Fixtures", "volumes");

    internal IEnumerable<long> Written => _sectors.Keys;

    internal static SectorDisk Load(string name, int? declared = null)
    {
        using var stored = new GZipStream(File.OpenRead(System.IO.Path.Combine(Folder, name + ".gz")), CompressionMode.Decompress);
        byte[] word = new byte[8];
        stored.ReadExactly(word);
        var disk = new SectorDisk(BinaryPrimitives.ReadInt64LittleEndian(word)) { Declared = declared };
        while (stored.ReadAtLeast(word, 8, throwOnEndOfStream: false) == 8)
        {
            byte[] sector = new byte[SectorSize];
            stored.ReadExactly(sector);
            disk._sectors.Add(BinaryPrimitives.ReadInt64LittleEndian(word), sector);
        }

        return disk;
    }

    internal static byte[] Bytes(VirtualDisk disk, long offset, int count)
    {
        byte[] bytes = new byte[count];
        Assert.Equal(count, disk.Read(offset, bytes));
        return bytes;
    }

    /// <summary>Puts another disk into this one, as a partition has it.</summary>
    internal SectorDisk With(long offset, SectorDisk other)
    {
        foreach ((long at, byte[] sector) in other._sectors)
        {
            _sectors[offset + at] = [.. sector];
        }

        return this;
    }

    internal SectorDisk Resize(long length)
    {
        _length = length;
        return this;
    }

    internal SectorDisk Copy()
    {
        var copy = new SectorDisk(_length) { Declared = Declared };
        return copy.With(0, this);
    }

    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        BytesRead += buffer.Length;
        if (offset < Damaged.End && offset + buffer.Length > Damaged.Start)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.ImageCorrupt, "A cluster is gone.");
        }

        for (int i = 0; i < buffer.Length;)
        {
            int inside = (int)((offset + i) % SectorSize);
            int count = Math.Min(buffer.Length - i, SectorSize - inside);
            Span<byte> part = buffer.Slice(i, count);
            if (_sectors.TryGetValue(offset + i - inside, out byte[]? sector))
            {
                sector.AsSpan(inside, count).CopyTo(part);
            }
            else
            {
                part.Clear();
            }

            i += count;
        }
    }

    protected internal override void WriteCore(long offset, ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i++)
        {
            long at = (offset + i) / SectorSize * SectorSize;
            if (!_sectors.TryGetValue(at, out byte[]? sector))
            {
                _sectors.Add(at, sector = new byte[SectorSize]);
            }

            sector[offset + i - at] = data[i];
        }
    }

    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => [new DiskExtent(offset, length, ExtentKind.Data, depth, Path, offset, IsCompressed: false)];
}
