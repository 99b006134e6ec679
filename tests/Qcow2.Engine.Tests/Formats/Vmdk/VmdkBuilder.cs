using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Qcow2.Engine.Tests.Formats.Vmdk;

/// <summary>What a grain of a built extent is.</summary>
internal enum BuiltGrain
{
    None,
    Zero,
    Data,
}

/// <summary>Builds VMDK files by hand, from VMware's description of the format alone.</summary>
internal static class VmdkBuilder
{
    internal const int Sector = 512;

    internal static byte[] Descriptor(string createType, IEnumerable<string> extents, string cid = "12345678", string parentCid = "ffffffff", string more = "")
        => Encoding.UTF8.GetBytes(
            $"# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID={cid}\nparentCID={parentCid}\ncreateType=\"{createType}\"\n{more}\n# Extent description\n{string.Join('\n', extents)}\n\n# The Disk Data Base\n#DDB\n\nddb.adapterType = \"lsilogic\"\n");

    /// <summary>
    /// A hosted sparse extent: header, descriptor in sectors 1 to 20, directory, tables, grains.
    /// </summary>
    /// <param name="grains">What each grain is.</param>
    /// <param name="data">Its data, whole grains.</param>
    /// <param name="grainSectors">Sectors of a grain.</param>
    /// <param name="capacity">Sectors of the disk; by default whole grains.</param>
    /// <param name="descriptor">The descriptor; null for none.</param>
    /// <param name="compressed">Whether to write a stream: grains compressed, directory at the end, a footer.</param>
    /// <param name="markers">Whether a stream has markers in front of its tables.</param>
    /// <param name="footer">Whether the directory lies at the end.</param>
    internal static byte[] Sparse(
        BuiltGrain[] grains, byte[][] data, int grainSectors = 8, long? capacity = null, byte[]? descriptor = null, bool compressed = false, bool markers = true, bool footer = true)
    {
        const int TableEntries = 512;
        using var file = new MemoryStream();
        file.SetLength(21 * Sector);
        file.Position = file.Length;
        if (compressed && !footer)
        {
            file.SetLength(128 * Sector);
            file.Position = file.Length;
        }

        uint[] table = new uint[(grains.Length + TableEntries - 1) / TableEntries * TableEntries];
        for (int i = 0; i < grains.Length; i++)
        {
            if (grains[i] != BuiltGrain.Data)
            {
                table[i] = grains[i] == BuiltGrain.Zero ? 1U : 0;
                continue;
            }

            table[i] = (uint)(file.Position / Sector);
            if (compressed)
            {
                byte[] packed = Zlib(data[i]);
                byte[] head = new byte[12];
                BinaryPrimitives.WriteInt64LittleEndian(head, (long)i * grainSectors);
                BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), packed.Length);
                file.Write(head);
                file.Write(packed);
                Pad(file);
            }
            else
            {
                file.Write(data[i]);
            }
        }

        var directory = new List<uint>();
        for (int i = 0; i < table.Length; i += TableEntries)
        {
            if (compressed && footer && markers)
            {
                Marker(file, 4, 1);
            }

            directory.Add((uint)(file.Position / Sector));
            for (int entry = i; entry < i + TableEntries; entry++)
            {
                file.Write(BitConverter.GetBytes(table[entry]));
            }
        }

        if (compressed && footer && markers)
        {
            Marker(file, 1, 2);
        }

        long directorySector = file.Position / Sector;
        directory.ForEach(entry => file.Write(BitConverter.GetBytes(entry)));
        Pad(file);
        byte[] header = Header(grains, grainSectors, capacity ?? (long)grains.Length * grainSectors, descriptor is not null, compressed, compressed && footer ? -1 : directorySector);
        if (compressed && footer)
        {
            Marker(file, 1, 3);
            byte[] end = [.. header];
            BinaryPrimitives.WriteInt64LittleEndian(end.AsSpan(56), directorySector);
            file.Write(end);
            file.Write(new byte[Sector]);
        }

        byte[] bytes = file.ToArray();
        header.CopyTo(bytes, 0);
        descriptor?.CopyTo(bytes, Sector);
        return bytes;
    }

    /// <summary>An extent of ESXi's snapshots (COWD), with grains of one sector or more.</summary>
    internal static byte[] Cowd(BuiltGrain[] grains, byte[][] data, int grainSectors)
    {
        using var file = new MemoryStream();
        byte[] header = new byte[2048];
        "COWD"u8.CopyTo(header);
        foreach ((int at, int value) in new[] { (4, 1), (8, 3), (12, grains.Length * grainSectors), (16, grainSectors), (20, 4), (24, 1) })
        {
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at), value);
        }

        file.Write(header);
        file.Write(BitConverter.GetBytes(5));
        Pad(file);
        byte[] table = new byte[4096 * 4];
        long place = file.Length + table.Length;
        for (int i = 0; i < grains.Length; i++)
        {
            if (grains[i] == BuiltGrain.Data)
            {
                BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(i * 4), (int)(place / Sector));
                place += grainSectors * Sector;
            }
        }

        file.Write(table);
        for (int i = 0; i < grains.Length; i++)
        {
            if (grains[i] == BuiltGrain.Data)
            {
                file.Write(data[i]);
            }
        }

        return file.ToArray();
    }

    internal static byte[] Zlib(byte[] data)
    {
        using var packed = new MemoryStream();
        using (var stream = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            stream.Write(data);
        }

        return packed.ToArray();
    }

    private static byte[] Header(BuiltGrain[] grains, int grainSectors, long capacity, bool hasDescriptor, bool compressed, long directory)
    {
        byte[] header = new byte[Sector];
        "KDMV"u8.CopyTo(header);
        bool zeros = grains.Contains(BuiltGrain.Zero);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), compressed ? 3 : zeros ? 2 : 1);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), 1 | (zeros ? 4 : 0) | (compressed ? 0x3_0000 : 0));
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(12), capacity);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(20), grainSectors);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(28), hasDescriptor ? 1 : 0);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(36), hasDescriptor ? 20 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(44), 512);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(56), directory);
        "\n \r\n"u8.CopyTo(header.AsSpan(73));
        BinaryPrimitives.WriteInt16LittleEndian(header.AsSpan(77), (short)(compressed ? 1 : 0));
        return header;
    }

    private static void Marker(MemoryStream file, long sectors, int type)
    {
        byte[] marker = new byte[Sector];
        BinaryPrimitives.WriteInt64LittleEndian(marker, sectors);
        BinaryPrimitives.WriteInt32LittleEndian(marker.AsSpan(12), type);
        file.Write(marker);
    }

    private static void Pad(MemoryStream file)
    {
        file.SetLength((file.Length + Sector - 1) / Sector * Sector);
        file.Position = file.Length;
    }
}
