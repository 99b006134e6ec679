using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Makes a new LUKS volume with one passphrase, in key slot 0.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, section 4.1 (initialisation) and 4.2 (adding a passphrase).</remarks>
internal static class LuksFormatter
{
    /// <summary>Makes the header area and a random master key.</summary>
    /// <param name="plan">The algorithms.</param>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    /// <param name="derivationTime">How long unlocking is to take on this machine.</param>
    /// <param name="cancellationToken">Ends the derivation, which takes as long.</param>
    /// <returns>The area, to be written as it is, and the cipher of the data, which the caller disposes of.</returns>
    internal static (byte[] Area, SectorCipher Cipher) Format(LuksPlan plan, Passphrase passphrase, TimeSpan derivationTime, CancellationToken cancellationToken)
    {
        LuksHash hash = LuksHash.Resolve(plan.HashSpec, "LUKS hash-spec");
        uint iterations = LuksIterations.ForSlot(hash, plan.KeyBytes, derivationTime, cancellationToken);
        using var masterKey = new SecretBuffer(plan.KeyBytes);
        SecureRandom.Fill(masterKey.Span);
        LuksHeader header = HeaderFor(plan, masterKey.Span, hash, iterations, cancellationToken);
        LuksKeyScheme scheme = LuksKeyScheme.Resolve(header);

        byte[] area = new byte[plan.AreaLength];
        LuksHeaderWriter.Write(header, area);
        LuksKeySlot slot = header.KeySlots[0];
        using var slotKey = new SecretBuffer(header.KeyBytes);
        using var material = new SecretBuffer(header.KeyMaterialLength);
        scheme.DeriveSlotKey(passphrase, slot.Salt, slot.Iterations, slotKey.Span, cancellationToken);
        scheme.Seal(masterKey.Span, slotKey.Span, material.Span);
        scheme.Remember(masterKey.Span, passphrase.Keys);
        material.Span.CopyTo(area.AsSpan((int)slot.KeyMaterialOffset));
        return (area, scheme.CreateCipher(masterKey.Span));
    }

    private static LuksHeader HeaderFor(LuksPlan plan, ReadOnlySpan<byte> masterKey, LuksHash hash, uint iterations, CancellationToken cancellationToken)
    {
        uint digestIterations = Math.Max(LuksIterations.MinDigest, iterations / 8);
        byte[] salt = LuksKeySlot.NewSalt();
        byte[] digest = new byte[LuksHeaderLayout.DigestLength];
        Pbkdf2.Derive(hash, masterKey, salt, (int)digestIterations, digest, cancellationToken);
        return new LuksHeader
        {
            CipherName = LuksPlan.CipherName,
            CipherModeSpec = plan.CipherModeSpec,
            HashSpec = plan.HashSpec,
            Uuid = Guid.NewGuid().ToString("D"),
            KeyBytes = plan.KeyBytes,
            PayloadOffset = plan.AreaLength,
            MasterKeyDigest = digest,
            MasterKeySalt = salt,
            MasterKeyIterations = digestIterations,
            KeySlots = [.. Enumerable.Range(0, LuksHeader.KeySlotCount).Select(index => new LuksKeySlot(
                index,
                IsActive: index == 0,
                index == 0 ? iterations : 0,
                index == 0 ? LuksKeySlot.NewSalt() : new byte[LuksHeaderLayout.SaltLength],
                plan.SlotOffset(index)))],
        };
    }
}
