using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Metadata;

/// <summary>Tables of 64-bit big-endian numbers, in memory as numbers of the host.</summary>
internal static class BigEndianTable
{
    /// <summary>Reads a table. Its place in the file must have been checked.</summary>
    internal static void Read(BlockStorage storage, long offset, Span<ulong> table)
    {
        storage.ReadZeroPadded(offset, MemoryMarshal.AsBytes(table));
        if (!BitConverter.IsLittleEndian)
        {
            return;
        }

#if NET
        BinaryPrimitives.ReverseEndianness(table, table);
#else
        for (int i = 0; i < table.Length; i++)
        {
            table[i] = BinaryPrimitives.ReverseEndianness(table[i]);
        }
#endif
    }
}
