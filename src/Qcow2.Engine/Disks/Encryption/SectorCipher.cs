namespace Qcow2.Engine.Disks.Encryption;

/// <summary>
/// Encrypts and decrypts 512-byte sectors in place, each with an initialisation vector made from its sector number.
/// Safe to use from many threads at once.
/// </summary>
/// <remarks>
/// Which number a sector has is the caller's affair: the legacy AES method counts guest sectors, LUKS counts host
/// sectors (spec: "Data encryption").
/// </remarks>
internal abstract class SectorCipher : IDisposable
{
    internal const int SectorSize = 512;

    /// <summary>Decrypts whole sectors in place.</summary>
    /// <param name="firstSector">Number of the first sector in <paramref name="data"/>.</param>
    /// <param name="data">A multiple of 512 bytes.</param>
    internal abstract void Decrypt(ulong firstSector, Span<byte> data);

    /// <summary>Encrypts whole sectors in place.</summary>
    /// <param name="firstSector">Number of the first sector in <paramref name="data"/>.</param>
    /// <param name="data">A multiple of 512 bytes.</param>
    internal abstract void Encrypt(ulong firstSector, Span<byte> data);

    /// <inheritdoc/>
    public abstract void Dispose();
}
