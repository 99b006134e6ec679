using System.Buffers.Binary;

namespace Qcow2.Engine.Nbd;

/// <summary>Puts the heads of replies into a buffer.</summary>
internal static class NbdReply
{
    /// <summary>A chunk that carries data has its head and the offset in front of them.</summary>
    internal const int DataHeadBytes = NbdConstants.ChunkBytes + sizeof(ulong);

    /// <summary>All of a chunk that says that there are zeros.</summary>
    internal const int HoleBytes = NbdConstants.ChunkBytes + sizeof(ulong) + sizeof(uint);

    internal static void WriteSimple(Span<byte> head, NbdError error, ulong cookie)
    {
        BinaryPrimitives.WriteUInt32BigEndian(head, NbdConstants.SimpleReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(head.Slice(4), (uint)error);
        BinaryPrimitives.WriteUInt64BigEndian(head.Slice(8), cookie);
    }

    internal static void WriteChunk(Span<byte> head, NbdChunk type, ulong cookie, int payload, bool isLast)
    {
        BinaryPrimitives.WriteUInt32BigEndian(head, NbdConstants.StructuredReplyMagic);
        BinaryPrimitives.WriteUInt16BigEndian(head.Slice(4), isLast ? NbdConstants.Done : (ushort)0);
        BinaryPrimitives.WriteUInt16BigEndian(head.Slice(6), (ushort)type);
        BinaryPrimitives.WriteUInt64BigEndian(head.Slice(8), cookie);
        BinaryPrimitives.WriteUInt32BigEndian(head.Slice(16), (uint)payload);
    }

    internal static void WriteDataHead(Span<byte> head, ulong cookie, long offset, int length, bool isLast)
    {
        WriteChunk(head, NbdChunk.OffsetData, cookie, sizeof(ulong) + length, isLast);
        BinaryPrimitives.WriteInt64BigEndian(head.Slice(NbdConstants.ChunkBytes), offset);
    }

    internal static void WriteHole(Span<byte> chunk, ulong cookie, long offset, int length, bool isLast)
    {
        WriteChunk(chunk, NbdChunk.OffsetHole, cookie, sizeof(ulong) + sizeof(uint), isLast);
        BinaryPrimitives.WriteInt64BigEndian(chunk.Slice(NbdConstants.ChunkBytes), offset);
        BinaryPrimitives.WriteInt32BigEndian(chunk.Slice(NbdConstants.ChunkBytes + sizeof(ulong)), length);
    }

    /// <summary>An error without words: what went wrong with a file is told to who runs the server, not to who is connected.</summary>
    /// <returns>Bytes.</returns>
    internal static int WriteErrorChunk(Span<byte> chunk, NbdError error, ulong cookie)
    {
        const int Payload = sizeof(uint) + sizeof(ushort);
        WriteChunk(chunk, NbdChunk.Error, cookie, Payload, isLast: true);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.Slice(NbdConstants.ChunkBytes), (uint)error);
        BinaryPrimitives.WriteUInt16BigEndian(chunk.Slice(NbdConstants.ChunkBytes + sizeof(uint)), 0);
        return NbdConstants.ChunkBytes + Payload;
    }
}
