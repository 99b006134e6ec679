using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>The bytes of a log, which go on at its start after its end ([MS-VHDX] 2.3).</summary>
internal sealed class VhdxLogRing(BlockStorage storage, long offset, long length)
{
    internal long Length { get; } = length;

    /// <summary>Where a position after another one is.</summary>
    internal long Advance(long position, long bytes) => (position + bytes) % Length;

    /// <summary>Reads some bytes, over the end of the log if need be.</summary>
    internal void Read(long position, Span<byte> buffer)
    {
        int first = (int)Math.Min(buffer.Length, Length - position);
        storage.ReadZeroPadded(offset + position, buffer.Slice(0, first));
        if (first < buffer.Length)
        {
            storage.ReadZeroPadded(offset, buffer.Slice(first));
        }
    }
}
