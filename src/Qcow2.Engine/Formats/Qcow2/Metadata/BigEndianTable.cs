using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>Tables of 64-bit big-endian numbers, in memory as numbers of the host.</summary>
internal static class BigEndianTable
{
    private const int PieceLength = 8192;

    /// <summary>Reads a table. Its place in the file must have been checked.</summary>
    internal static void Read(BlockStorage storage, long offset, Span<ulong> table)
    {
        storage.ReadZeroPadded(offset, MemoryMarshal.AsBytes(table));
        Swap(table, table);
    }

    /// <summary>Writes a table.</summary>
    internal static void Write(BlockStorage storage, long offset, ReadOnlySpan<ulong> table)
    {
        ulong[] swapped = ArrayPool<ulong>.Shared.Rent(Math.Min(table.Length, PieceLength));
        try
        {
            while (!table.IsEmpty)
            {
                int count = Math.Min(table.Length, PieceLength);
                Swap(table.Slice(0, count), swapped);
                storage.Write(offset, MemoryMarshal.AsBytes(swapped.AsSpan(0, count)));
                offset += (long)count * sizeof(ulong);
                table = table.Slice(count);
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(swapped);
        }
    }

    private static void Swap(ReadOnlySpan<ulong> source, Span<ulong> destination)
    {
        if (!BitConverter.IsLittleEndian)
        {
            source.CopyTo(destination);
            return;
        }

#if NET
        BinaryPrimitives.ReverseEndianness(source, destination);
#else
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = BinaryPrimitives.ReverseEndianness(source[i]);
        }
#endif
    }
}
