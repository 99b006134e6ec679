using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>What is known of the blocks of a stream, to be compared with its index; in a few bytes, however many blocks there are.</summary>
internal sealed class XzRecords : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    internal long Count { get; private set; }

    public void Dispose() => _hash.Dispose();

    /// <summary>Adds a block.</summary>
    /// <param name="unpadded">Its bytes in the file, without what fills them up.</param>
    /// <param name="unpacked">The bytes that it holds.</param>
    internal void Add(long unpadded, long unpacked)
    {
        Span<byte> record = stackalloc byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(record, unpadded);
        BinaryPrimitives.WriteInt64LittleEndian(record.Slice(sizeof(long)), unpacked);
        _hash.AppendData(record);
        Count++;
    }

    /// <summary>Whether others are the same, in the same order. Both begin anew.</summary>
    internal bool Ends(XzRecords others)
    {
        bool isSame = Count == others.Count;
        isSame &= _hash.GetHashAndReset().AsSpan().SequenceEqual(others._hash.GetHashAndReset());
        Count = 0;
        others.Count = 0;
        return isSame;
    }
}
