using System.Buffers.Binary;
using System.IO.Compression;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>
/// Reads a stream from the front to the back, once, as a host that imports it while it comes over the network: by the marks between its parts alone.
/// Independent of the engine. Everything must be where the one before says; nothing may be left over.
/// </summary>
internal sealed class VmdkStreamParser
{
    private const int Sector = 512;
    private const int Grain = 128 * Sector;
    private const int Entries = 512;

    private readonly byte[] _file;
    private readonly uint[] _table = new uint[Entries];
    private readonly List<uint> _directory = [];
    private int _at = 128 * Sector;
    private bool _isTableEmpty = true;

    internal VmdkStreamParser(byte[] file)
    {
        _file = file;
        Assert.Equal(0, file.Length % Sector);
        Assert.Equal(ulong.MaxValue, BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(56)));
        long sectors = CheckHeader(0);
        Disk = new byte[sectors * Sector];
        Descriptor = System.Text.Encoding.UTF8.GetString(file, Sector, 20 * Sector).TrimEnd('\0');
        Assert.False(file.AsSpan(21 * Sector, 107 * Sector).ContainsAnyExcept((byte)0));
        while (ReadNext())
        {
        }

        Assert.Equal(file.Length, _at);
    }

    internal byte[] Disk { get; }

    internal string Descriptor { get; }

    /// <summary>The compressed lengths of the grains, in their order.</summary>
    internal List<int> Lengths { get; } = [];

    /// <summary>Entries of the directory that lead to no table.</summary>
    internal int EmptyTables => _directory.Count(entry => entry == 0);

    internal int Tables => _directory.Count;

    private long CheckHeader(int at)
    {
        Span<byte> header = _file.AsSpan(at, Sector);
        Assert.Equal("KDMV"u8, header[..4]);
        Assert.Equal([3, 0x30001], Words(at + 4, 2));
        Assert.Equal([128, 0, 1, 0, 20, 0, 512, 0, 0], Words(at + 20, 9)); // grain, descriptor, its length, entries, no copy of the directory
        Assert.Equal([128, 0], Words(at + 64, 2)); // before the first grain
        Assert.Equal(new byte[] { 0, 0x0a, 0x20, 0x0d, 0x0a, 1, 0 }, header.Slice(72, 7)); // closed, ends of lines, deflate
        Assert.False(header[79..].ContainsAnyExcept((byte)0));
        return BinaryPrimitives.ReadInt64LittleEndian(header[12..]);
    }

    /// <returns>False at the end.</returns>
    private bool ReadNext()
    {
        long value = BinaryPrimitives.ReadInt64LittleEndian(_file.AsSpan(_at));
        int size = BinaryPrimitives.ReadInt32LittleEndian(_file.AsSpan(_at + 8));
        if (size != 0)
        {
            ReadGrain(value, size);
            return true;
        }

        uint type = BinaryPrimitives.ReadUInt32LittleEndian(_file.AsSpan(_at + 12));
        Assert.False(_file.AsSpan(_at + 16, Sector - 16).ContainsAnyExcept((byte)0));
        _at += Sector;
        switch (type)
        {
            case 0:
                Assert.Equal(0, value);
                return false;
            case 1:
                ReadTable(value);
                break;
            case 2:
                ReadDirectory(value);
                break;
            case 3:
                Assert.Equal(1, value);
                Assert.Equal(Disk.Length / Sector, CheckHeader(_at));
                Assert.Equal((ulong)(_at / Sector) - 1 - (ulong)DirectorySectors, BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(_at + 56)));
                _at += Sector;
                break;
            default:
                Assert.Fail($"A mark of type {type} at {_at}.");
                break;
        }

        return true;
    }

    private int DirectorySectors => Math.Max(1, ((_directory.Count * sizeof(uint)) + Sector - 1) / Sector);

    private void ReadGrain(long sector, int size)
    {
        long grain = sector * Sector / Grain;
        Assert.Equal(0, sector % 128);
        while (_directory.Count < grain / Entries)
        {
            Assert.True(_isTableEmpty, $"Grain {grain} comes before the table of those before it.");
            _directory.Add(0);
        }

        Assert.True(_directory.Count == grain / Entries, $"Grain {grain} comes after its table.");
        Assert.False(_table.AsSpan((int)(grain % Entries)).ContainsAnyExcept(0u), $"Grain {grain} comes after a later one.");
        _table[grain % Entries] = (uint)(_at / Sector);
        _isTableEmpty = false;
        using var zlib = new ZLibStream(new MemoryStream(_file, _at + 12, size), CompressionMode.Decompress);
        byte[] content = new byte[Grain + 1];
        Assert.Equal(Grain, zlib.ReadAtLeast(content, Grain + 1, throwOnEndOfStream: false));
        int inside = (int)Math.Min(Grain, Disk.Length - (sector * Sector));
        content.AsSpan(0, inside).CopyTo(Disk.AsSpan((int)(sector * Sector)));
        Assert.False(content.AsSpan(inside).ContainsAnyExcept((byte)0));
        Lengths.Add(size);
        int end = (_at + 12 + size + Sector - 1) & -Sector;
        Assert.False(_file.AsSpan(_at + 12 + size, end - _at - 12 - size).ContainsAnyExcept((byte)0));
        _at = end;
    }

    private void ReadTable(long sectors)
    {
        Assert.Equal(4, sectors);
        Assert.False(_isTableEmpty);
        Assert.Equal(_table, Words(_at, Entries));
        Array.Clear(_table);
        _isTableEmpty = true;
        _directory.Add((uint)(_at / Sector));
        _at += 4 * Sector;
    }

    private void ReadDirectory(long sectors)
    {
        Assert.True(_isTableEmpty);
        long tables = (Disk.Length + (32L << 20) - 1) / (32 << 20);
        while (_directory.Count < tables)
        {
            _directory.Add(0);
        }

        Assert.Equal(DirectorySectors, sectors);
        uint[] found = Words(_at, (int)sectors * Sector / sizeof(uint));
        Assert.Equal(_directory, found[.._directory.Count]);
        Assert.DoesNotContain(found[_directory.Count..], entry => entry != 0);
        _at += (int)sectors * Sector;
    }

    private uint[] Words(int at, int count) => [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(_file.AsSpan(at + (4 * i))))];
}
