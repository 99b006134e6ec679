using System.Buffers;
using System.Buffers.Binary;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>AES in counter mode (NIST SP 800-38A): each sector's initialisation vector is its first counter, a big-endian number of 128 bits.</summary>
/// <remarks>QEMU offers it. A sector that is written twice has the same key stream twice, so nobody should.</remarks>
internal sealed class AesCtrCipher : SectorCipher
{
    private const int BatchSectors = 32;

    private readonly AesEcb _aes;
    private readonly IvGenerator _ivs;

    /// <summary>Makes the cipher of a key.</summary>
    /// <param name="key">16, 24 or 32 bytes, copied.</param>
    /// <param name="ivs">The generator, which from here on belongs to the cipher.</param>
    internal AesCtrCipher(ReadOnlySpan<byte> key, IvGenerator ivs)
    {
        _aes = new AesEcb(key);
        _ivs = ivs;
    }

    internal override void Decrypt(ulong firstSector, Span<byte> data) => Transform(firstSector, data);

    internal override void Encrypt(ulong firstSector, Span<byte> data) => Transform(firstSector, data);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _aes.Dispose();
        _ivs.Dispose();
    }

    private void Transform(ulong sector, Span<byte> data)
    {
        SectorSpan.Check(data);
        int batch = Math.Min(data.Length, BatchSectors * SectorSize);
        byte[] scratch = ArrayPool<byte>.Shared.Rent(batch + (batch / SectorSize * IvGenerator.IvSize));
        try
        {
            while (!data.IsEmpty)
            {
                Span<byte> part = data.Slice(0, Math.Min(data.Length, batch));
                int sectors = part.Length / SectorSize;
                _ivs.Fill(sector, scratch, part.Length, sectors);
                for (int i = 0; i < sectors; i++)
                {
                    Count(scratch.AsSpan(part.Length + (i * IvGenerator.IvSize), IvGenerator.IvSize), scratch.AsSpan(i * SectorSize, SectorSize));
                }

                _aes.Encrypt(scratch, 0, part.Length);
                SectorSpan.Xor(part, scratch.AsSpan(0, part.Length), part);
                sector = unchecked(sector + (ulong)sectors);
                data = data.Slice(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch, clearArray: true); // A key stream is as good as the data.
        }
    }

    private static void Count(ReadOnlySpan<byte> first, Span<byte> counters)
    {
        ulong high = BinaryPrimitives.ReadUInt64BigEndian(first);
        ulong low = BinaryPrimitives.ReadUInt64BigEndian(first.Slice(sizeof(ulong)));
        for (int at = 0; at < counters.Length; at += AesEcb.BlockSize)
        {
            BinaryPrimitives.WriteUInt64BigEndian(counters.Slice(at), high);
            BinaryPrimitives.WriteUInt64BigEndian(counters.Slice(at + sizeof(ulong)), low);
            unchecked
            {
                low++;
                high += low == 0 ? 1UL : 0UL;
            }
        }
    }
}
