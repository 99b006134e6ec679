using System.Buffers;

namespace Qcow2.Engine.Disks.Encryption;

/// <summary>AES in CBC mode, each sector a chain of its own.</summary>
/// <remarks>
/// Decryption of a block needs only ciphertext, so a batch is one call of AES. Encryption is a chain, but the chains of
/// different sectors do not touch: the first blocks of all sectors are one call, then all the second ones.
/// </remarks>
internal sealed class AesCbcCipher : SectorCipher
{
    private const int BatchSectors = 64;

    private readonly AesEcb _aes;
    private readonly IvGenerator _ivs;

    /// <summary>Makes the cipher of a key.</summary>
    /// <param name="key">16, 24 or 32 bytes, copied.</param>
    /// <param name="ivs">The generator, which from here on belongs to the cipher.</param>
    internal AesCbcCipher(ReadOnlySpan<byte> key, IvGenerator ivs)
    {
        _aes = new AesEcb(key);
        _ivs = ivs;
    }

    internal override void Decrypt(ulong firstSector, Span<byte> data)
    {
        SectorSpan.Check(data);
        int batch = Math.Min(data.Length, BatchSectors * SectorSize);
        byte[] scratch = ArrayPool<byte>.Shared.Rent(batch + (batch / SectorSize * IvGenerator.IvSize));
        try
        {
            while (!data.IsEmpty)
            {
                Span<byte> part = data.Slice(0, Math.Min(data.Length, batch));
                DecryptBatch(firstSector, part, scratch);
                firstSector = unchecked(firstSector + (ulong)(part.Length / SectorSize));
                data = data.Slice(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    internal override void Encrypt(ulong firstSector, Span<byte> data)
    {
        SectorSpan.Check(data);
        byte[] chains = ArrayPool<byte>.Shared.Rent(BatchSectors * AesEcb.BlockSize);
        try
        {
            while (!data.IsEmpty)
            {
                Span<byte> part = data.Slice(0, Math.Min(data.Length, BatchSectors * SectorSize));
                EncryptBatch(firstSector, part, chains);
                firstSector = unchecked(firstSector + (ulong)(part.Length / SectorSize));
                data = data.Slice(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chains);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _aes.Dispose();
        _ivs.Dispose();
    }

    private void DecryptBatch(ulong sector, Span<byte> data, byte[] scratch)
    {
        int sectors = data.Length / SectorSize;
        Span<byte> plain = scratch.AsSpan(0, data.Length);
        ReadOnlySpan<byte> ivs = scratch.AsSpan(data.Length, sectors * IvGenerator.IvSize);

        data.CopyTo(plain);
        _aes.Decrypt(scratch, 0, data.Length);
        _ivs.Fill(sector, scratch, data.Length, sectors);
        for (int i = 0; i < sectors; i++)
        {
            Span<byte> target = plain.Slice(i * SectorSize, SectorSize);
            ReadOnlySpan<byte> cipher = data.Slice(i * SectorSize, SectorSize - AesEcb.BlockSize);
            Span<byte> first = target.Slice(0, AesEcb.BlockSize);
            Span<byte> rest = target.Slice(AesEcb.BlockSize);
            SectorSpan.Xor(first, ivs.Slice(i * IvGenerator.IvSize, IvGenerator.IvSize), first);
            SectorSpan.Xor(rest, cipher, rest);
        }

        plain.CopyTo(data);
    }

    private void EncryptBatch(ulong sector, Span<byte> data, byte[] chains)
    {
        int sectors = data.Length / SectorSize;
        _ivs.Fill(sector, chains, 0, sectors);
        for (int block = 0; block < SectorSize; block += AesEcb.BlockSize)
        {
            for (int i = 0; i < sectors; i++)
            {
                Span<byte> chain = chains.AsSpan(i * AesEcb.BlockSize, AesEcb.BlockSize);
                SectorSpan.Xor(chain, data.Slice((i * SectorSize) + block, AesEcb.BlockSize), chain);
            }

            _aes.Encrypt(chains, 0, sectors * AesEcb.BlockSize);
            for (int i = 0; i < sectors; i++)
            {
                chains.AsSpan(i * AesEcb.BlockSize, AesEcb.BlockSize).CopyTo(data.Slice((i * SectorSize) + block));
            }
        }
    }
}
