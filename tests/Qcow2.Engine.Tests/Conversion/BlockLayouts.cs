namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The layouts of files of blocks, each by a name; what every one of them must do is tested for all.</summary>
internal static class BlockLayouts
{
    internal static IReadOnlyDictionary<string, BlockCreateOptions> All { get; } = new Dictionary<string, BlockCreateOptions>
    {
        ["vdi"] = new VdiCreateOptions(),
        ["vdi fixed"] = new VdiCreateOptions { IsFixed = true },
        ["vmdk"] = new VmdkCreateOptions(),
        ["vmdk flat"] = new VmdkCreateOptions { CreateType = VmdkCreateType.MonolithicFlat },
        ["vmdk split"] = new VmdkCreateOptions { CreateType = VmdkCreateType.TwoGbMaxExtentSparse },
        ["vmdk split flat"] = new VmdkCreateOptions { CreateType = VmdkCreateType.TwoGbMaxExtentFlat },
        ["vmdk stream"] = new VmdkCreateOptions { CreateType = VmdkCreateType.StreamOptimized },
        ["vmdk for ESXi"] = new VmdkCreateOptions { CreateType = VmdkCreateType.VmfsFlat },
        ["vhd"] = new VhdCreateOptions(),
        ["vhd 512k"] = new VhdCreateOptions { BlockSize = 512 << 10 },
        ["vhd fixed"] = new VhdCreateOptions { IsFixed = true },
        ["vhd azure"] = new VhdCreateOptions { AzureReady = true },
        ["vhdx"] = new VhdxCreateOptions(),
        ["vhdx 1m"] = new VhdxCreateOptions { BlockSize = 1 << 20 },
        ["vhdx 4m, 512/512"] = new VhdxCreateOptions { BlockSize = 4 << 20, PhysicalSectorSize = 512 },
        ["vhdx 1m, 4k"] = new VhdxCreateOptions { BlockSize = 1 << 20, LogicalSectorSize = 4096 },
        ["vhdx fixed"] = new VhdxCreateOptions { IsFixed = true },
        ["vhdx fixed 1m, 4k"] = new VhdxCreateOptions { IsFixed = true, BlockSize = 1 << 20, LogicalSectorSize = 4096 },
    };

    /// <summary>The files that hold the disk: the one that is opened, or those that it names.</summary>
    /// <param name="layout">What the disk was made as.</param>
    /// <param name="path">The file that is opened, in a folder of its own but for files that begin otherwise.</param>
    internal static string[] FilesOf(BlockCreateOptions layout, string path)
        => layout is VmdkCreateOptions { CreateType: not (VmdkCreateType.MonolithicSparse or VmdkCreateType.StreamOptimized) }
            ? [.. Directory.GetFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + "-*.vmdk").Order(StringComparer.Ordinal)]
            : [path];

    /// <summary>Bytes of all files that hold the disk.</summary>
    internal static long LengthOf(BlockCreateOptions layout, string path) => FilesOf(layout, path).Sum(file => new FileInfo(file).Length);

    /// <summary>Whether the length of a file is known before it is written.</summary>
    internal static bool IsLengthKnown(BlockCreateOptions layout) => !layout.IsCompressed;

    /// <summary>A layout whose files are the same bytes each time.</summary>
    internal static BlockCreateOptions Foreseeable(BlockCreateOptions layout)
    {
        int id = 0;
        BlockCreateOptions fixedIds = layout with { NewId = () => new Guid(++id, 1, 2, [3, 4, 5, 6, 7, 8, 9, 10]) };
        return fixedIds is VhdCreateOptions vhd ? vhd with { Now = () => new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc) } : fixedIds;
    }

    /// <summary>A disk with stretches of random bytes, of zeros, and of single bytes here and there.</summary>
    internal static byte[] RandomContent(Random random, int size)
    {
        byte[] content = new byte[size];
        for (int start = 0; start < size;)
        {
            int length = Math.Min(size - start, 1 + random.Next(random.Next(4) == 0 ? 5 << 20 : 300_000));
            Span<byte> part = content.AsSpan(start, length);
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(part);
                    break;
                case 1:
                    part[random.Next(length)] = 1;
                    break;
            }

            start += length;
        }

        return content;
    }
}
