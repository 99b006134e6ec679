using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>Where the blocks of a disk are, read a piece at a time as it is asked for (spec: "Block Allocation Table").</summary>
/// <param name="storage">The file.</param>
/// <param name="tableOffset">Where the table lies in it.</param>
internal sealed class VhdBlockTable(BlockStorage storage, long tableOffset)
{
    /// <summary>The entry of a block that is not in the file.</summary>
    internal const uint Unused = uint.MaxValue;

    private const int PieceBytes = 4096;
    private const int EntriesInPiece = PieceBytes / sizeof(uint);

    // A MiB: half a TiB of a disk with the usual blocks.
    private const int PieceBits = 8;

    private readonly PieceCache _pieces = new(storage, PieceBytes, PieceBits);

    /// <summary>The first block after those that are read together with one.</summary>
    internal static long PieceEnd(long block) => ((block / EntriesInPiece) + 1) * EntriesInPiece;

    /// <summary>The sector of the file at which a block starts, with its bitmap; or <see cref="Unused"/>.</summary>
    internal uint Find(long block) => Entry(Piece(block), block);

    /// <summary>The first block from one on that is in the file.</summary>
    /// <param name="block">Where to start.</param>
    /// <param name="end">Where to stop; returned if there is none before.</param>
    internal long SkipUnused(long block, long end)
    {
        while (block < end)
        {
            byte[] piece = Piece(block);
            for (long pieceEnd = Math.Min(end, PieceEnd(block)); block < pieceEnd; block++)
            {
                if (Entry(piece, block) != Unused)
                {
                    return block;
                }
            }
        }

        return end;
    }

    private static uint Entry(byte[] piece, long block)
        => BinaryPrimitives.ReadUInt32BigEndian(piece.AsSpan((int)(block % EntriesInPiece) * sizeof(uint)));

    private byte[] Piece(long block) => _pieces.Get(tableOffset + (block / EntriesInPiece * PieceBytes));
}
