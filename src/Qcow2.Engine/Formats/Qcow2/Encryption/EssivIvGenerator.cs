using System.Security.Cryptography;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>
/// "Encrypted salt-sector initialisation vector": the 64-bit sector number encrypted under a hash of the data's key, so
/// that nobody without the key can predict a vector.
/// </summary>
internal sealed class EssivIvGenerator : IvGenerator
{
    private readonly AesEcb _aes;

    /// <summary>Makes the generator of a key.</summary>
    /// <param name="key">The data's key, in XTS mode both halves of it.</param>
    /// <param name="hash">A hash whose digest is as long as some AES key.</param>
    internal EssivIvGenerator(ReadOnlySpan<byte> key, LuksHash hash)
    {
        using var salt = new SecretBuffer(hash.DigestLength);
        using var digest = IncrementalHash.CreateHash(hash.Algorithm);
        digest.AppendData(key);
        digest.GetHashAndReset(salt.Span);
        _aes = new AesEcb(salt.Span);
    }

    internal override void Fill(ulong firstSector, byte[] buffer, int offset, int sectors)
    {
        CounterIvGenerator.Plain64.Fill(firstSector, buffer, offset, sectors);
        _aes.Encrypt(buffer, offset, sectors * IvSize);
    }

    /// <inheritdoc/>
    public override void Dispose() => _aes.Dispose();
}
