namespace Qcow2.Engine;

/// <summary>
/// The algorithms of a new LUKS header, by the names that <c>qemu-img create -o encrypt.…</c> has for them. The defaults are QEMU's: AES-256 in XTS mode
/// with the generator plain64, and SHA-256.
/// </summary>
/// <remarks>
/// What QEMU offers beside these (Serpent, Twofish, CAST5, SHA-224, RIPEMD-160) .NET does not have, and <c>aes-192</c> outside of XTS mode QEMU itself cannot
/// open: these are refused by name.
/// </remarks>
public sealed record LuksOptions
{
    /// <summary>The defaults.</summary>
    public static LuksOptions Default { get; } = new();

    /// <summary>The cipher and the size of its key in bits: <c>aes-128</c>, <c>aes-192</c> (in XTS mode only) or <c>aes-256</c>.</summary>
    public string CipherAlgorithm { get; init; } = "aes-256";

    /// <summary>
    /// The mode: <c>xts</c>, <c>cbc</c>, <c>ctr</c> or <c>ecb</c>. The last two are there because QEMU has them: <c>ctr</c> shows what changes in a sector that is written
    /// twice, <c>ecb</c> which blocks are equal.
    /// </summary>
    public string CipherMode { get; init; } = "xts";

    /// <summary>
    /// How a sector's number becomes its initialisation vector: <c>plain64</c>, <c>plain</c>, which repeats itself every 2 TiB, or <c>essiv</c>.
    /// </summary>
    public string IvGeneratorAlgorithm { get; init; } = "plain64";

    /// <summary>The hash of the <c>essiv</c> generator, whose digest is as long as an AES key: <c>sha256</c> or <c>md5</c>. Null for <c>sha256</c>, and for other generators.</summary>
    public string? IvGeneratorHash { get; init; }

    /// <summary>The hash of key derivation: <c>sha256</c>, <c>sha512</c>, <c>sha384</c>, <c>sha1</c> or <c>md5</c>.</summary>
    public string HashAlgorithm { get; init; } = "sha256";
}
