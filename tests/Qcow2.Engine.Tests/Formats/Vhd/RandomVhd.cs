using Qcow2.Engine.Formats.Vhd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>A random dynamic or differencing disk, with what a reader must show of it.</summary>
internal sealed class RandomVhd
{
    private static readonly int[] BlockSizes = [512, 1024, 4096, 65_536, 512 << 10, 2 << 20, 4 << 20];

    private readonly bool _isWholeBytes;

    /// <param name="seed">Where the randomness starts.</param>
    /// <param name="isWholeBytes">Whether bits of bitmaps change with their bytes only.</param>
    internal RandomVhd(int seed, bool isWholeBytes = false)
    {
        _isWholeBytes = isWholeBytes;
        var random = new Random(seed);
        int blockSize = BlockSizes[random.Next(BlockSizes.Length)];
        int sectors = random.Next(1, Math.Min(16_384, 40 * (blockSize / 512)));
        IsDifferencing = random.Next(2) == 0;
        Builder = new VhdBuilder
        {
            DiskType = IsDifferencing ? 4u : 3u,
            Size = sectors * 512L,
            BlockSize = blockSize,
            SpareEntries = random.Next(3) == 0 ? random.Next(300) : 0,
            IsFooterShort = random.Next(8) == 0,
            ParentId = [.. Enumerable.Repeat((byte)7, 16)],
            ParentName = "parent.vhd",
        };
        Content = new byte[Builder.Size];
        if (IsDifferencing)
        {
            // The parent may have been resized, to the distress of Windows.
            ParentContent = new byte[random.Next(4) == 0 ? random.Next(1, (int)Builder.Size) : Builder.Size];
            random.NextBytes(ParentContent);
            ParentContent.AsSpan(0, Math.Min(ParentContent.Length, Content.Length)).CopyTo(Content);
        }

        int[] order = [.. Enumerable.Range(0, Builder.BlockCount)];
        random.Shuffle(order);
        foreach (int number in order.Where(_ => random.Next(5) > 1))
        {
            AddBlock(number, random);
        }
    }

    internal VhdBuilder Builder { get; }

    internal bool IsDifferencing { get; }

    internal byte[] Content { get; }

    internal byte[] ParentContent { get; } = [];

    internal VhdParent? MakeParent()
        => IsDifferencing ? new VhdParent(RawDisk.Open(new MemoryStorage(ParentContent, "parent")), new Guid(Builder.ParentId), 0) : null;

    private void AddBlock(int number, Random random)
    {
        byte[] bitmap = new byte[Builder.BitmapBytes];
        int sectors = Builder.BlockSize / 512;
        int kind = random.Next(4);
        for (int sector = 0, run = 0; sector < sectors; sector++, run--)
        {
            if (run <= 0 && (!_isWholeBytes || sector % 8 == 0))
            {
                run = kind switch { 0 => sectors, 1 => 1, 2 => random.Next(1, 40), _ => random.Next(1, 2000) };
                bitmap[sector >> 3] = SetTo(bitmap[sector >> 3], sector, kind == 0 || random.Next(2) == 0);
            }
            else
            {
                bitmap[sector >> 3] = SetTo(bitmap[sector >> 3], sector, IsSet(bitmap, sector - 1));
            }
        }

        byte[] data = new byte[Builder.BlockSize];
        random.NextBytes(data);
        Builder.Blocks.Add((number, bitmap, data));
        Show(number, bitmap, data);
    }

    private void Show(int number, byte[] bitmap, byte[] data)
    {
        for (int sector = 0; sector < Builder.BlockSize / 512; sector++)
        {
            long offset = ((long)number * Builder.BlockSize) + (sector * 512);
            if (offset < Builder.Size && IsSet(bitmap, sector))
            {
                data.AsSpan(sector * 512, 512).CopyTo(Content.AsSpan((int)offset));
            }
        }
    }

    /// <summary>By the words of the specification: the first sector is the most significant bit of the first byte.</summary>
    private static bool IsSet(byte[] bitmap, int sector) => (bitmap[sector / 8] & (1 << (7 - (sector % 8)))) != 0;

    private static byte SetTo(byte value, int sector, bool isSet) => (byte)(isSet ? value | (1 << (7 - (sector % 8))) : value & ~(1 << (7 - (sector % 8))));
}
