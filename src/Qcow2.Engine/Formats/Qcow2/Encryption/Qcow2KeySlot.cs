using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <summary>A key slot of an image that is encrypted with LUKS. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2KeySlot : Qcow2ImageObject
{
    /// <summary>Full path of the image.</summary>
    public override string Path { get; set; } = "";

    /// <summary>The slot's number, 0 to 7.</summary>
    public int KeySlot { get; set; }

    /// <summary>Whether it has a passphrase.</summary>
    public bool IsActive { get; set; }

    /// <summary>Iterations of PBKDF2 that a passphrase goes through; null where it has none.</summary>
    public long? Iterations { get; set; }

    /// <summary>
    /// The salt of the passphrase, in hexadecimal digits; null where it has none. It is no secret, and another one with each passphrase that is set: by it
    /// a slot is recognised that has changed meanwhile.
    /// </summary>
    public string? Salt { get; set; }

    /// <summary>The cipher and the size of its key in bits, such as <c>aes-256</c>: that of the image.</summary>
    public string CipherAlgorithm { get; set; } = "";

    /// <summary>The mode of the cipher, such as <c>xts</c>.</summary>
    public string CipherMode { get; set; } = "";

    /// <summary>The hash of key derivation, such as <c>sha256</c>.</summary>
    public string HashAlgorithm { get; set; } = "";

    /// <summary>The slot's number.</summary>
    public override string ToString() => $"{KeySlot}";

    /// <summary>The eight key slots of an image, in order.</summary>
    /// <param name="info">What is said of the image.</param>
    /// <exception cref="NotSupportedException">It is not encrypted with LUKS.</exception>
    /// <exception cref="Qcow2Exception">Its LUKS header is damaged.</exception>
    public static IReadOnlyList<Qcow2KeySlot> Of(Qcow2ImageInfo info)
    {
        string path = (info ?? throw new ArgumentNullException(nameof(info))).Path;
        if (info.EncryptionMethod != EncryptionMethod.Luks)
        {
            throw ImageKeySlots.HasNone(path, info.EncryptionMethod);
        }

        LuksInfo luks = info.Luks
            ?? throw new Qcow2Exception(Qcow2ErrorCode.ImageCorrupt, $"The LUKS header is damaged: {string.Join(" ", info.Problems)}").At(path);
        return [.. luks.Slots.Select(slot => new Qcow2KeySlot
        {
            Path = path,
            KeySlot = slot.Index,
            IsActive = slot.IsActive,
            Iterations = slot.Iterations,
            Salt = slot.Salt,
            CipherAlgorithm = luks.CipherAlgorithm,
            CipherMode = luks.CipherMode,
            HashAlgorithm = luks.HashAlgorithm,
        })];
    }
}
