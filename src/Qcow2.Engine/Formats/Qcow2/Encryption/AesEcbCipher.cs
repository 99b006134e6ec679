using System.Buffers;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>AES block by block, the same everywhere on the disk. QEMU offers it; it shows which blocks are equal, so nobody should use it.</summary>
internal sealed class AesEcbCipher : SectorCipher
{
    private const int BatchBytes = 32 * 1024;

    private readonly AesEcb _aes;

    /// <summary>Makes the cipher of a key.</summary>
    /// <param name="key">16, 24 or 32 bytes, copied.</param>
    internal AesEcbCipher(ReadOnlySpan<byte> key) => _aes = new AesEcb(key);

    internal override void Decrypt(ulong firstSector, Span<byte> data) => Transform(data, encrypt: false);

    internal override void Encrypt(ulong firstSector, Span<byte> data) => Transform(data, encrypt: true);

    /// <inheritdoc/>
    public override void Dispose() => _aes.Dispose();

    private void Transform(Span<byte> data, bool encrypt)
    {
        SectorSpan.Check(data);
        byte[] scratch = ArrayPool<byte>.Shared.Rent(Math.Min(data.Length, BatchBytes));
        try
        {
            while (!data.IsEmpty)
            {
                Span<byte> part = data.Slice(0, Math.Min(data.Length, BatchBytes));
                part.CopyTo(scratch);
                if (encrypt)
                {
                    _aes.Encrypt(scratch, 0, part.Length);
                }
                else
                {
                    _aes.Decrypt(scratch, 0, part.Length);
                }

                scratch.AsSpan(0, part.Length).CopyTo(part);
                data = data.Slice(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }
}
