using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Makes a new LUKS volume with QEMU's defaults: AES-256 in XTS mode, plain64, SHA-256, one passphrase in key slot 0.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, section 4.1 (initialisation) and 4.2 (adding a passphrase).</remarks>
internal static class LuksFormatter
{
    private const int KeyBytes = 64;

    // What QEMU and cryptsetup align key material to.
    private const int Alignment = 4096;

    /// <summary>Bytes that the partition header and the key material of all slots take.</summary>
    internal static readonly int AreaLength = (int)SlotOffset(LuksHeader.KeySlotCount);

    /// <summary>Makes the header area and a random master key.</summary>
    /// <param name="passphrase">The passphrase, which stays the caller's.</param>
    /// <param name="derivationTime">How long unlocking is to take on this machine.</param>
    /// <param name="cancellationToken">Ends the derivation, which takes as long.</param>
    /// <returns>The area, to be written as it is, and the cipher of the data, which the caller disposes of.</returns>
    internal static (byte[] Area, SectorCipher Cipher) Format(Passphrase passphrase, TimeSpan derivationTime, CancellationToken cancellationToken)
    {
        LuksHash hash = LuksHash.Resolve("sha256", "LUKS hash-spec");
        uint iterations = LuksIterations.ForSlot(hash, KeyBytes, derivationTime, cancellationToken);
        using var masterKey = new SecretBuffer(KeyBytes);
        SecureRandom.Fill(masterKey.Span);
        LuksHeader header = HeaderFor(masterKey.Span, hash, iterations, cancellationToken);
        LuksCipherSpec cipher = LuksCipherSpec.Resolve(header);

        byte[] area = new byte[AreaLength];
        LuksHeaderWriter.Write(header, area);
        LuksKeySlot slot = header.KeySlots[0];
        WriteKeyMaterial(
            header, slot, cipher, hash, passphrase, masterKey.Span,
            area.AsSpan((int)slot.KeyMaterialOffset, header.KeyMaterialLength), cancellationToken);
        return (area, cipher.Create(masterKey.Span));
    }

    private static LuksHeader HeaderFor(ReadOnlySpan<byte> masterKey, LuksHash hash, uint iterations, CancellationToken cancellationToken)
    {
        uint digestIterations = Math.Max(LuksIterations.MinDigest, iterations / 8);
        byte[] salt = RandomSalt();
        byte[] digest = new byte[LuksHeaderLayout.DigestLength];
        Pbkdf2.Derive(hash, masterKey, salt, (int)digestIterations, digest, cancellationToken);
        return new LuksHeader
        {
            CipherName = "aes",
            CipherModeSpec = $"{LuksModeSpec.Xts}-{LuksModeSpec.Plain64}",
            HashSpec = "sha256",
            Uuid = Guid.NewGuid().ToString("D"),
            KeyBytes = KeyBytes,
            PayloadOffset = AreaLength,
            MasterKeyDigest = digest,
            MasterKeySalt = salt,
            MasterKeyIterations = digestIterations,
            KeySlots = [.. Enumerable.Range(0, LuksHeader.KeySlotCount).Select(index => new LuksKeySlot(
                index,
                IsActive: index == 0,
                index == 0 ? iterations : 0,
                index == 0 ? RandomSalt() : new byte[LuksHeaderLayout.SaltLength],
                SlotOffset(index)))],
        };
    }

    private static void WriteKeyMaterial(
        LuksHeader header, LuksKeySlot slot, LuksCipherSpec cipher, LuksHash hash, Passphrase passphrase, ReadOnlySpan<byte> masterKey,
        Span<byte> target, CancellationToken cancellationToken)
    {
        using var slotKey = new SecretBuffer(header.KeyBytes);
        using var material = new SecretBuffer(header.KeyMaterialLength);
        Pbkdf2.Derive(hash, passphrase.Utf8, slot.Salt, (int)slot.Iterations, slotKey.Span, cancellationToken);
        AntiForensicSplit.Split(masterKey, hash, material.Span.Slice(0, header.KeyBytes * LuksHeader.Stripes));
        using SectorCipher slotCipher = cipher.Create(slotKey.Span);
        slotCipher.Encrypt(0, material.Span);
        material.Span.CopyTo(target);
    }

    private static byte[] RandomSalt()
    {
        byte[] salt = new byte[LuksHeaderLayout.SaltLength];
        SecureRandom.Fill(salt);
        return salt;
    }

    private static long SlotOffset(int index) => Align(LuksHeader.Size) + (index * (long)Align(LuksHeader.MaterialLength(KeyBytes)));

    private static int Align(int length) => (length + Alignment - 1) & ~(Alignment - 1);
}
