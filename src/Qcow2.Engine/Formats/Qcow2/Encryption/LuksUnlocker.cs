using System.Security.Cryptography;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Reads key material.</summary>
/// <param name="offset">Bytes from the start of the LUKS header.</param>
/// <param name="destination">Is filled whole, or an exception is thrown.</param>
internal delegate void LuksKeyMaterialReader(long offset, Span<byte> destination);

/// <summary>Turns a passphrase into the cipher of a LUKS volume's data.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, section 4.3 (master key recovery).</remarks>
internal static class LuksUnlocker
{
    /// <summary>Tries the passphrase on every active key slot.</summary>
    /// <param name="header">The partition header.</param>
    /// <param name="readKeyMaterial">Reads from the area of the LUKS header.</param>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    /// <param name="cancellationToken">Ends the attempt, which takes seconds for each slot.</param>
    /// <returns>The cipher of the volume's data, which the caller disposes of.</returns>
    /// <exception cref="Qcow2Exception">
    /// <see cref="Qcow2ErrorCode.PassphraseIncorrect"/>: no active slot opens.
    /// <see cref="Qcow2ErrorCode.UnsupportedFeature"/>: the header names an algorithm that this engine does not know.
    /// </exception>
    internal static SectorCipher Unlock(
        LuksHeader header, LuksKeyMaterialReader readKeyMaterial, Passphrase passphrase, CancellationToken cancellationToken)
    {
        // Before any work: seconds of key derivation would be wasted on a cipher that is then refused.
        LuksCipherSpec cipher = LuksCipherSpec.Resolve(header);
        LuksHash hash = LuksHash.Resolve(header.HashSpec, "LUKS hash-spec");

        using var masterKey = new SecretBuffer(header.KeyBytes);
        int tried = 0;
        foreach (LuksKeySlot slot in header.KeySlots)
        {
            if (!slot.IsActive)
            {
                continue;
            }

            tried++;
            RecoverMasterKey(header, slot, cipher, hash, readKeyMaterial, passphrase, masterKey.Span, cancellationToken);
            if (IsMasterKey(header, hash, masterKey.Span, cancellationToken))
            {
                return cipher.Create(masterKey.Span);
            }
        }

        throw new Qcow2Exception(Qcow2ErrorCode.PassphraseIncorrect, tried switch
        {
            0 => "The LUKS header has no active key slot: its keys were erased, and no passphrase opens the volume any more.",
            1 => "The passphrase is not that of the LUKS volume's one active key slot. Check for a trailing newline or another keyboard layout.",
            _ => $"The passphrase opens none of the LUKS volume's {tried} active key slots. Check for a trailing newline or another keyboard layout.",
        });
    }

    private static void RecoverMasterKey(
        LuksHeader header, LuksKeySlot slot, LuksCipherSpec cipher, LuksHash hash, LuksKeyMaterialReader readKeyMaterial,
        Passphrase passphrase, Span<byte> masterKey, CancellationToken cancellationToken)
    {
        using var slotKey = new SecretBuffer(header.KeyBytes);
        using var material = new SecretBuffer(header.KeyMaterialLength);
        readKeyMaterial(slot.KeyMaterialOffset, material.Span);
        Pbkdf2.Derive(hash, passphrase.Utf8, slot.Salt, (int)slot.Iterations, slotKey.Span, cancellationToken);

        using SectorCipher slotCipher = cipher.Create(slotKey.Span);
        slotCipher.Decrypt(0, material.Span);
        AntiForensicSplit.Merge(material.Span.Slice(0, header.KeyBytes * LuksHeader.Stripes), hash, masterKey);
    }

    private static bool IsMasterKey(LuksHeader header, LuksHash hash, ReadOnlySpan<byte> candidate, CancellationToken cancellationToken)
    {
        Span<byte> digest = stackalloc byte[header.MasterKeyDigest.Length];
        Pbkdf2.Derive(hash, candidate, header.MasterKeySalt, (int)header.MasterKeyIterations, digest, cancellationToken);
        return CryptographicOperations.FixedTimeEquals(digest, header.MasterKeyDigest);
    }
}
