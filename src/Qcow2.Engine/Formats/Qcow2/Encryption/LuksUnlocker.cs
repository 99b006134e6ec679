using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Reads key material.</summary>
/// <param name="offset">Bytes from the start of the LUKS header.</param>
/// <param name="destination">Is filled whole, or an exception is thrown.</param>
internal delegate void LuksKeyMaterialReader(long offset, Span<byte> destination);

/// <summary>Turns a passphrase into the master key of a LUKS volume and the cipher of its data.</summary>
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
        LuksKeyScheme scheme = LuksKeyScheme.Resolve(header);
        using var masterKey = new SecretBuffer(header.KeyBytes);
        FindSlot(header, scheme, readKeyMaterial, passphrase, masterKey.Span, cancellationToken);
        return scheme.CreateCipher(masterKey.Span);
    }

    /// <summary>Finds the first active key slot that the passphrase opens.</summary>
    /// <param name="header">The partition header.</param>
    /// <param name="scheme">Its algorithms.</param>
    /// <param name="readKeyMaterial">Reads from the area of the LUKS header.</param>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    /// <param name="masterKey">Receives the master key.</param>
    /// <param name="cancellationToken">Ends the attempt, which takes seconds for each slot.</param>
    /// <exception cref="Qcow2Exception"><see cref="Qcow2ErrorCode.PassphraseIncorrect"/>: no active slot opens.</exception>
    internal static LuksKeySlot FindSlot(
        LuksHeader header, LuksKeyScheme scheme, LuksKeyMaterialReader readKeyMaterial, Passphrase passphrase, Span<byte> masterKey,
        CancellationToken cancellationToken)
    {
        int tried = 0;
        foreach (LuksKeySlot slot in header.KeySlots.Where(slot => slot.IsActive))
        {
            tried++;
            if (Opens(scheme, slot, readKeyMaterial, passphrase, masterKey, cancellationToken))
            {
                return slot;
            }
        }

        throw new Qcow2Exception(Qcow2ErrorCode.PassphraseIncorrect, tried switch
        {
            0 => "The LUKS header has no active key slot: its keys were erased, and no passphrase opens the volume any more.",
            1 => "The passphrase is not that of the LUKS volume's one active key slot. Check for a trailing newline or another keyboard layout.",
            _ => $"The passphrase opens none of the LUKS volume's {tried} active key slots. Check for a trailing newline or another keyboard layout.",
        });
    }

    /// <summary>Whether the passphrase opens a key slot.</summary>
    /// <param name="scheme">The volume's algorithms.</param>
    /// <param name="slot">The slot, which is active.</param>
    /// <param name="readKeyMaterial">Reads from the area of the LUKS header.</param>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    /// <param name="masterKey">Receives the master key, or noise.</param>
    /// <param name="cancellationToken">Ends the attempt, which takes seconds.</param>
    internal static bool Opens(
        LuksKeyScheme scheme, LuksKeySlot slot, LuksKeyMaterialReader readKeyMaterial, Passphrase passphrase, Span<byte> masterKey,
        CancellationToken cancellationToken)
    {
        using var slotKey = new SecretBuffer(scheme.KeyBytes);
        using var material = new SecretBuffer(scheme.MaterialLength);
        readKeyMaterial(slot.KeyMaterialOffset, material.Span);
        scheme.DeriveSlotKey(passphrase, slot.Salt, slot.Iterations, slotKey.Span, cancellationToken);
        scheme.Open(material.Span, slotKey.Span, masterKey);
        return scheme.IsMasterKey(masterKey, passphrase.Keys, cancellationToken);
    }
}
