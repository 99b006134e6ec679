namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>One key slot as the LUKS partition header describes it, checked.</summary>
/// <param name="Index">The slot's number, 0 to 7.</param>
/// <param name="IsActive">Whether a passphrase is set.</param>
/// <param name="Iterations">Iterations of PBKDF2; checked only where the slot is active.</param>
/// <param name="Salt">Salt of PBKDF2.</param>
/// <param name="KeyMaterialOffset">Bytes from the start of the LUKS header.</param>
internal sealed record LuksKeySlot(int Index, bool IsActive, uint Iterations, byte[] Salt, long KeyMaterialOffset)
{
    /// <summary>A salt that no other slot has.</summary>
    internal static byte[] NewSalt()
    {
        byte[] salt = new byte[LuksHeaderLayout.SaltLength];
        SecureRandom.Fill(salt);
        return salt;
    }
}
