using System.Security.Cryptography;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>A hash that a LUKS header may name.</summary>
/// <param name="Algorithm">What .NET calls it.</param>
/// <param name="DigestLength">Length of its digest in bytes.</param>
internal readonly record struct LuksHash(HashAlgorithmName Algorithm, int DigestLength)
{
    internal const int MaxDigestLength = 64;

    /// <summary>Finds a hash by the name that the header gives.</summary>
    /// <param name="name">Such as <c>sha256</c>.</param>
    /// <param name="field">The field it stands in, for the message.</param>
    /// <exception cref="Qcow2Exception">This engine does not know the hash.</exception>
    internal static LuksHash Resolve(string name, string field) => name switch
    {
        "md5" => new LuksHash(HashAlgorithmName.MD5, 16),
        "sha1" => new LuksHash(HashAlgorithmName.SHA1, 20),
        "sha256" => new LuksHash(HashAlgorithmName.SHA256, 32),
        "sha384" => new LuksHash(HashAlgorithmName.SHA384, 48),
        "sha512" => new LuksHash(HashAlgorithmName.SHA512, 64),
        _ => throw Qcow2Errors.Unsupported($"{field} names the hash \"{name}\"; this module knows md5, sha1, sha256, sha384 and sha512. qemu-img convert can copy the disk into an image with another one."),
    };
}
