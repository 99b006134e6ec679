using System.Buffers.Binary;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>An entry of the log that was written whole ([MS-VHDX] 2.3.1).</summary>
/// <param name="Position">Where it starts in the log.</param>
/// <param name="Length">Bytes, whole sectors of 4 KiB.</param>
/// <param name="Tail">Where the oldest entry starts that is still needed when this one is.</param>
/// <param name="Sequence">Its number: one more than that of the entry before.</param>
/// <param name="DescriptorCount">Number of descriptors behind its header.</param>
/// <param name="FlushedFileOffset">Length that the file had at least when the entry was written.</param>
/// <param name="LastFileOffset">Length that the file needs when all is replayed.</param>
internal sealed record VhdxLogEntry(
    long Position, long Length, long Tail, ulong Sequence, int DescriptorCount, ulong FlushedFileOffset, ulong LastFileOffset)
{
    internal const int HeaderLength = 64;

    private const uint Signature = 0x6567_6f6c; // "loge"
    private const int CheckSumOffset = 4;

    /// <summary>Bytes of header and descriptors, whole sectors.</summary>
    internal long DescriptorsLength => RoundUp(HeaderLength + ((long)DescriptorCount * VhdxLogDescriptor.Length));

    /// <summary>Whether bytes begin as an entry does.</summary>
    internal static bool HasSignature(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadUInt32LittleEndian(header) == Signature;

    /// <summary>Reads the entry at a position.</summary>
    /// <param name="ring">The log.</param>
    /// <param name="position">Where it should start.</param>
    /// <param name="logId">The id that it must have.</param>
    /// <param name="budget">Bytes that may still be summed; less by what was.</param>
    /// <returns>Null where there is none, or one that was not written whole: a crash leaves such.</returns>
    /// <exception cref="Qcow2Exception">The budget is used up: this log is made to take time.</exception>
    internal static VhdxLogEntry? TryRead(VhdxLogRing ring, long position, Guid logId, ref long budget)
    {
        byte[] header = new byte[HeaderLength];
        ring.Read(position, header);
        if (!HasSignature(header) || LittleEndian.ReadGuid(header.AsSpan(32)) != logId)
        {
            return null;
        }

        long length = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8));
        long tail = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(12));
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(24));
        var entry = new VhdxLogEntry(
            position, length, tail, BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(16)), (int)Math.Min(int.MaxValue, count),
            BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(48)), BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(56)));
        if (entry.Sequence == 0 || length == 0 || length > ring.Length || length % VhdxLimits.LogSectorSize != 0
            || tail >= ring.Length || tail % VhdxLimits.LogSectorSize != 0 || entry.DescriptorsLength > length)
        {
            return null;
        }

        budget -= length;
        if (budget < 0)
        {
            throw Qcow2Errors.Corrupt("The log of the VHDX file holds entries within entries; none of that is from a program that writes logs.");
        }

        byte[] content = new byte[length];
        ring.Read(position, content);
        return Crc32C.OfAllBut(content, CheckSumOffset) == BinaryPrimitives.ReadUInt32LittleEndian(content.AsSpan(CheckSumOffset)) && entry.IsWhole(content) ? entry : null;
    }

    /// <summary>The descriptors, in order.</summary>
    internal IEnumerable<VhdxLogDescriptor> ReadDescriptors(VhdxLogRing ring)
    {
        byte[] descriptors = new byte[DescriptorsLength];
        ring.Read(Position, descriptors);
        return Descriptors(descriptors, ring);
    }

    private IEnumerable<VhdxLogDescriptor> Descriptors(byte[] content, VhdxLogRing ring)
    {
        long sector = ring.Advance(Position, DescriptorsLength);
        for (int i = 0; i < DescriptorCount; i++)
        {
            VhdxLogDescriptor descriptor = VhdxLogDescriptor.Parse(content.AsSpan(HeaderLength + (i * VhdxLogDescriptor.Length)), sector);
            if (descriptor.IsData)
            {
                sector = ring.Advance(sector, VhdxLimits.LogSectorSize);
            }

            yield return descriptor;
        }
    }

    /// <summary>Whether every descriptor and every sector is of this entry, and the length is that of all of them.</summary>
    private bool IsWhole(ReadOnlySpan<byte> content)
    {
        long end = DescriptorsLength;
        for (int i = 0; i < DescriptorCount; i++)
        {
            ReadOnlySpan<byte> bytes = content.Slice(HeaderLength + (i * VhdxLogDescriptor.Length));
            if (!VhdxLogDescriptor.IsOf(bytes, Sequence))
            {
                return false;
            }

            if (VhdxLogDescriptor.Parse(bytes, 0).IsData)
            {
                if (end > Length - VhdxLimits.LogSectorSize || !VhdxLogDescriptor.IsSectorOf(content.Slice((int)end, VhdxLimits.LogSectorSize), Sequence))
                {
                    return false;
                }

                end += VhdxLimits.LogSectorSize;
            }
        }

        return end == Length;
    }

    private static long RoundUp(long bytes) => (bytes + VhdxLimits.LogSectorSize - 1) & -(long)VhdxLimits.LogSectorSize;
}
