namespace Qcow2.Engine;

/// <summary>What the header of a LUKS volume says about its encryption; none of it is secret.</summary>
/// <remarks>The names and values are those of <c>qemu-img info --output=json</c> (<c>QCryptoBlockInfoLUKS</c>).</remarks>
public sealed class LuksInfo
{
    /// <summary>The cipher and the size of its key in bits, such as <c>aes-256</c>.</summary>
    public string CipherAlgorithm { get; set; } = "";

    /// <summary>The mode of the cipher, such as <c>xts</c>.</summary>
    public string CipherMode { get; set; } = "";

    /// <summary>How a sector's number becomes its initialisation vector, such as <c>plain64</c>; null when the header does not say.</summary>
    public string? IvGeneratorAlgorithm { get; set; }

    /// <summary>The hash that the <c>essiv</c> generator makes its key with; null for other generators.</summary>
    public string? IvGeneratorHash { get; set; }

    /// <summary>The hash of key derivation, such as <c>sha256</c>.</summary>
    public string HashAlgorithm { get; set; } = "";

    /// <summary>The volume's UUID as its header spells it.</summary>
    public string Uuid { get; set; } = "";

    /// <summary>Where the header says the encrypted data begins, in bytes. QCOW2 images do not go by it.</summary>
    public long PayloadOffset { get; set; }

    /// <summary>Iterations of PBKDF2 in the digest that recognises the master key.</summary>
    public long MasterKeyIterations { get; set; }

    /// <summary>The eight key slots, in order.</summary>
    public LuksKeySlotInfo[] Slots { get; set; } = [];
}
