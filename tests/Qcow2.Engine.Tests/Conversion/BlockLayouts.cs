namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The layouts of files of blocks, each by a name; what every one of them must do is tested for all.</summary>
internal static class BlockLayouts
{
    internal static IReadOnlyDictionary<string, BlockCreateOptions> All { get; } = new Dictionary<string, BlockCreateOptions>
    {
        ["vdi"] = new VdiCreateOptions(),
        ["vdi fixed"] = new VdiCreateOptions { IsFixed = true },
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
