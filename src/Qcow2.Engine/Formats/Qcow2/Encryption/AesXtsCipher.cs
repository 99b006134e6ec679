using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>AES in XTS mode (IEEE 1619) with a sector as the data unit: the default of LUKS.</summary>
/// <remarks>
/// A block is encrypted as <c>AES(block ^ tweak) ^ tweak</c>. The first tweak of a sector is its initialisation vector
/// encrypted under the second key; each further one is the last times x in GF(2^128). Working on dozens of sectors at a
/// time leaves two calls of AES for all of them: one for the first tweaks and one for the data.
/// </remarks>
internal sealed class AesXtsCipher : SectorCipher
{
    // The buffers of a batch, twice 16 KiB, stay in the first level cache's reach.
    private const int BatchSectors = 32;

    private readonly AesEcb _data;
    private readonly AesEcb _tweak;
    private readonly IvGenerator _ivs;

    /// <summary>Makes the cipher of a key.</summary>
    /// <param name="key">The data's key, then the tweak's, of 16, 24 or 32 bytes each; copied.</param>
    /// <param name="ivs">The generator, which from here on belongs to the cipher.</param>
    internal AesXtsCipher(ReadOnlySpan<byte> key, IvGenerator ivs)
    {
        _data = new AesEcb(key.Slice(0, key.Length / 2));
        _tweak = new AesEcb(key.Slice(key.Length / 2));
        _ivs = ivs;
    }

    internal override void Decrypt(ulong firstSector, Span<byte> data) => Transform(firstSector, data, encrypt: false);

    internal override void Encrypt(ulong firstSector, Span<byte> data) => Transform(firstSector, data, encrypt: true);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _data.Dispose();
        _tweak.Dispose();
        _ivs.Dispose();
    }

    private void Transform(ulong sector, Span<byte> data, bool encrypt)
    {
        SectorSpan.Check(data);
        int batch = Math.Min(data.Length, BatchSectors * SectorSize);
        byte[] scratch = ArrayPool<byte>.Shared.Rent((2 * batch) + (batch / SectorSize * IvGenerator.IvSize));
        try
        {
            while (!data.IsEmpty)
            {
                Span<byte> part = data.Slice(0, Math.Min(data.Length, batch));
                TransformBatch(sector, part, scratch, encrypt);
                sector = unchecked(sector + (ulong)(part.Length / SectorSize));
                data = data.Slice(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    // The scratch array holds the masked data, the tweaks of every block and the tweaks of every sector, one after the other.
    private void TransformBatch(ulong sector, Span<byte> data, byte[] scratch, bool encrypt)
    {
        int sectors = data.Length / SectorSize;
        Span<byte> masked = scratch.AsSpan(0, data.Length);
        Span<byte> tweaks = scratch.AsSpan(data.Length, data.Length);
        Span<byte> sectorTweaks = scratch.AsSpan(2 * data.Length, sectors * IvGenerator.IvSize);

        _ivs.Fill(sector, scratch, 2 * data.Length, sectors);
        _tweak.Encrypt(scratch, 2 * data.Length, sectorTweaks.Length);
        MaskSectors(MemoryMarshal.Cast<byte, ulong>(sectorTweaks), data, tweaks, masked);
        if (encrypt)
        {
            _data.Encrypt(scratch, 0, data.Length);
        }
        else
        {
            _data.Decrypt(scratch, 0, data.Length);
        }

        SectorSpan.Xor(masked, tweaks, data);
    }

    private static void MaskSectors(ReadOnlySpan<ulong> sectorTweaks, ReadOnlySpan<byte> data, Span<byte> tweaks, Span<byte> masked)
    {
        for (int i = 0; i < sectorTweaks.Length / 2; i++)
        {
            Span<byte> expanded = tweaks.Slice(i * SectorSize, SectorSize);
            ExpandTweak(sectorTweaks[2 * i], sectorTweaks[(2 * i) + 1], MemoryMarshal.Cast<byte, ulong>(expanded));
            SectorSpan.Xor(data.Slice(i * SectorSize, SectorSize), expanded, masked.Slice(i * SectorSize, SectorSize));
        }
    }

    private static void ExpandTweak(ulong low, ulong high, Span<ulong> tweaks)
    {
        low = LittleEndian(low);
        high = LittleEndian(high);
        for (int i = 0; i + 1 < tweaks.Length; i += 2)
        {
            tweaks[i] = LittleEndian(low);
            tweaks[i + 1] = LittleEndian(high);

            // Times x; what leaves the top comes back as x^7 + x^2 + x + 1.
            ulong carry = (ulong)((long)high >> 63) & 0x87;
            high = (high << 1) | (low >> 63);
            low = (low << 1) ^ carry;
        }
    }

    private static ulong LittleEndian(ulong value)
        => BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
}
