using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Packed.Xz;

/// <summary>The check sum of a block.</summary>
/// <param name="kind">Which; one that is known.</param>
internal sealed class XzSum(XzCheck kind) : IDisposable
{
    private readonly IncrementalHash? _hash = kind == XzCheck.Sha256 ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private uint _crc32 = uint.MaxValue;
    private ulong _crc64 = ulong.MaxValue;

    /// <summary>Whether this one is known here.</summary>
    internal static bool IsKnown(XzCheck kind) => kind is XzCheck.Crc32 or XzCheck.Crc64 or XzCheck.Sha256;

    /// <summary>Bytes of it.</summary>
    internal int Size => kind switch { XzCheck.Crc32 => sizeof(uint), XzCheck.Crc64 => sizeof(ulong), _ => 32 };

    public void Dispose() => _hash?.Dispose();

    internal void Append(ReadOnlySpan<byte> data)
    {
        switch (kind)
        {
            case XzCheck.Crc32:
                _crc32 = Crc32.Append(_crc32, data);
                break;
            case XzCheck.Crc64:
                _crc64 = Crc64.Append(_crc64, data);
                break;
            default:
                _hash!.AppendData(data);
                break;
        }
    }

    /// <summary>Compares it with the stored one, and begins anew.</summary>
    internal bool Ends(ReadOnlySpan<byte> stored)
    {
        bool isRight = kind switch
        {
            XzCheck.Crc32 => BinaryPrimitives.ReadUInt32LittleEndian(stored) == ~_crc32,
            XzCheck.Crc64 => BinaryPrimitives.ReadUInt64LittleEndian(stored) == ~_crc64,
            _ => stored.SequenceEqual(_hash!.GetHashAndReset()),
        };
        _crc32 = uint.MaxValue;
        _crc64 = ulong.MaxValue;
        return isRight;
    }
}
