using System.Buffers.Binary;

namespace Qcow2.Engine.Nbd;

/// <summary>A request, without the data that may follow it.</summary>
/// <param name="Flags">How it is to be done.</param>
/// <param name="Command">What is asked.</param>
/// <param name="Cookie">What the reply repeats.</param>
/// <param name="Offset">Where on the disk, in bytes.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct NbdRequest(NbdCommandFlags Flags, NbdCommand Command, ulong Cookie, ulong Offset, uint Length)
{
    /// <summary>Reads a request.</summary>
    /// <returns>False if the bytes are none, so that nobody knows where the next one begins.</returns>
    internal static bool TryParse(ReadOnlySpan<byte> bytes, out NbdRequest request)
    {
        request = new NbdRequest(
            (NbdCommandFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes.Slice(4)),
            (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(bytes.Slice(6)),
            BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(8)),
            BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(16)),
            BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(24)));
        return BinaryPrimitives.ReadUInt32BigEndian(bytes) == NbdConstants.RequestMagic;
    }

    /// <summary>Whether the range lies inside a disk.</summary>
    internal bool IsInside(long length) => Offset <= (ulong)length && Length <= (ulong)length - Offset;
}
