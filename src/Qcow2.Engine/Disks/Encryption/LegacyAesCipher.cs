namespace Qcow2.Engine.Disks.Encryption;

/// <summary>Encryption method 1 of QCOW 1 and QCOW2: AES-128-CBC keyed with the passphrase itself, the vector the guest's sector number.</summary>
/// <remarks>
/// The specification speaks of 256 bits; QEMU, which is the only writer, takes 128 (<c>crypto/block-qcow.c</c>). Nothing in
/// the image tells a wrong passphrase from the right one: with a wrong one the disk reads as noise.
/// </remarks>
internal static class LegacyAesCipher
{
    private const int KeySize = 16;

    /// <summary>Makes the cipher of a passphrase, of which the first 16 bytes of UTF-8 count, or as many as there are and zeros.</summary>
    internal static SectorCipher Create(Passphrase passphrase)
    {
        using var key = new SecretBuffer(KeySize);
        ReadOnlySpan<byte> utf8 = passphrase.Utf8;
        utf8.Slice(0, Math.Min(utf8.Length, KeySize)).CopyTo(key.Span);
        return new AesCbcCipher(key.Span, CounterIvGenerator.Plain64);
    }
}
