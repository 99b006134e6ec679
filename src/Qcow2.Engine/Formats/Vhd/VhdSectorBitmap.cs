namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Which sectors of a block are in it (spec: "Block Allocation Table and Data Blocks"). The first sector is the highest bit of the first byte.</summary>
internal static class VhdSectorBitmap
{
    /// <summary>Bytes of a block's bitmap, which is padded to whole sectors.</summary>
    internal static long BytesFor(uint blockSize)
    {
        long bytes = (((long)blockSize / VhdLimits.SectorSize) + 7) / 8;
        return (bytes + VhdLimits.SectorSize - 1) / VhdLimits.SectorSize * VhdLimits.SectorSize;
    }

    internal static bool IsSet(ReadOnlySpan<byte> bitmap, int sector) => ((bitmap[sector >> 3] << (sector & 7)) & 0x80) != 0;

    /// <summary>How many sectors from one on are as it is.</summary>
    /// <param name="bitmap">Bits, of which all that are asked for are there.</param>
    /// <param name="sector">The first.</param>
    /// <param name="limit">How many to look at; at least one.</param>
    internal static int RunLength(ReadOnlySpan<byte> bitmap, int sector, int limit)
    {
        bool isSet = IsSet(bitmap, sector);
        byte same = isSet ? byte.MaxValue : (byte)0;
        int end = sector + limit;
        int next = sector + 1;
        while (next < end)
        {
            if ((next & 7) == 0 && bitmap[next >> 3] == same)
            {
                next += 8;
            }
            else if (IsSet(bitmap, next) == isSet)
            {
                next++;
            }
            else
            {
                return next - sector;
            }
        }

        return limit;
    }
}
