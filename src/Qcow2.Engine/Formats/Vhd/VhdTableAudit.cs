using System.Buffers;
using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>
/// Looks at the whole block allocation table before anything is read by it: a block that lies on another or on the headers shows wrong
/// data without any other sign.
/// </summary>
internal static class VhdTableAudit
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>What is wrong with the table, the first of it; null where nothing is.</summary>
    /// <remarks>
    /// Takes eight bytes of memory for each block that the file has an entry for; these four bytes are really there, because a hole would be
    /// entries of zero, and the first of those is a fault.
    /// </remarks>
    internal static Qcow2Exception? FirstFault(BlockStorage storage, VhdStructure structure)
    {
        var blocks = new List<ulong>();
        if (Collect(storage, structure, blocks) is Qcow2Exception fault)
        {
            return fault;
        }

        blocks.Sort();
        for (int i = 1; i < blocks.Count; i++)
        {
            if (StartOf(blocks[i]) < StartOf(blocks[i - 1]) + SpanOf(structure, BlockOf(blocks[i - 1])))
            {
                return Qcow2Errors.Corrupt(
                    $"Entries {BlockOf(blocks[i - 1])} and {BlockOf(blocks[i])} of the block allocation table overlap: their blocks start at 0x{StartOf(blocks[i - 1]):x} and 0x{StartOf(blocks[i]):x}, and one of them shows data of the other.");
            }
        }

        return null;
    }

    /// <summary>What a block lies on that is no block, as a sentence; null where nothing is.</summary>
    internal static string? OverlapOf(VhdStructure structure, long block, long start)
    {
        var range = new DiskRange(start, SpanOf(structure, block));
        foreach ((DiskRange other, string name) in structure.Reserved)
        {
            if (VhdStructure.Overlap(range, other))
            {
                return $"Entry {block} of the block allocation table is {start / VhdLimits.SectorSize}, and the block at 0x{start:x} overlaps {name} at 0x{other.Offset:x}.";
            }
        }

        return null;
    }

    private static Qcow2Exception? Collect(BlockStorage storage, VhdStructure structure, List<ulong> blocks)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            long offset = (long)structure.Header!.TableOffset;
            for (int block = 0; block < structure.BlockCount; offset += PieceBytes)
            {
                int count = Math.Min(PieceBytes / sizeof(uint), structure.BlockCount - block);
                storage.ReadZeroPadded(offset, piece.AsSpan(0, count * sizeof(uint)));
                for (int i = 0; i < count; i++, block++)
                {
                    uint entry = BinaryPrimitives.ReadUInt32BigEndian(piece.AsSpan(i * sizeof(uint)));
                    if (entry == VhdBlockTable.Unused)
                    {
                        continue;
                    }

                    if (FaultOf(structure, block, entry) is Qcow2Exception fault)
                    {
                        return fault;
                    }

                    blocks.Add(((ulong)entry << 32) | (uint)block);
                }
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private static Qcow2Exception? FaultOf(VhdStructure structure, int block, uint entry)
    {
        long start = (long)entry * VhdLimits.SectorSize;
        long span = SpanOf(structure, block);
        return start + span > structure.DataEnd
            ? Qcow2Errors.PastEnd($"Block {block} of the disk, by its entry {entry} in the block allocation table", (ulong)start, (ulong)span, structure.DataEnd)
            : OverlapOf(structure, block, start) is string overlap ? Qcow2Errors.Corrupt(overlap) : null;
    }

    private static uint BlockOf(ulong key) => (uint)key;

    private static long StartOf(ulong key) => (long)(key >> 32) * VhdLimits.SectorSize;

    /// <summary>Bytes that a block takes in the file. The last one is needed as far as the disk goes.</summary>
    private static long SpanOf(VhdStructure structure, long block)
    {
        uint blockSize = structure.Header!.BlockSize;
        return VhdSectorBitmap.BytesFor(blockSize) + Math.Min(blockSize, structure.Size - (block * blockSize));
    }
}
