using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Gzip;

/// <summary>
/// What a gzip file seems to hold, by its last four bytes: the length of what is in its last member, without what is above 32 bits of it. That is all where there is one member of less
/// than 4 GiB, and nothing in the file says whether it is.
/// </summary>
internal static class GzipLength
{
    /// <summary>Deflate makes no more than this of a byte: 258 bytes of two bits.</summary>
    private const long MostOfByte = 1032;

    /// <summary>What a name, a comment and headers may take besides.</summary>
    private const long Overhead = 64 * 1024;

    /// <summary>Guesses how many bytes come out.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Null where it cannot be what the last bytes say: so much is not made smaller, or not made of so little.</returns>
    internal static long? Guess(BlockStorage file)
    {
        long packed = file.Length;
        Span<byte> last = stackalloc byte[sizeof(uint)];
        if (packed < last.Length || file.Read(packed - last.Length, last) < last.Length)
        {
            return null;
        }

        // Blocks that are stored as they are have five bytes more, each.
        long length = BinaryPrimitives.ReadUInt32LittleEndian(last);
        return length > 0 && length + (length / 512) + Overhead >= packed && length / MostOfByte <= packed ? length : null;
    }
}
