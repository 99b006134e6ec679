using System.Security.Cryptography;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>How the keys of a LUKS volume are derived, split and encrypted, by a header all of whose algorithms this engine knows.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, sections 2.4 and 4.1 to 4.3.</remarks>
internal sealed class LuksKeyScheme
{
    private readonly LuksHeader _header;
    private readonly LuksCipherSpec _cipher;

    private LuksKeyScheme(LuksHeader header, LuksCipherSpec cipher, LuksHash hash)
    {
        _header = header;
        _cipher = cipher;
        Hash = hash;
    }

    /// <summary>The hash of key derivation.</summary>
    internal LuksHash Hash { get; }

    /// <summary>Length of the master key and of the keys of slots, in bytes.</summary>
    internal int KeyBytes => _header.KeyBytes;

    /// <summary>Bytes of key material in a slot.</summary>
    internal int MaterialLength => _header.KeyMaterialLength;

    /// <summary>Finds the algorithms, before any work: seconds of key derivation would be wasted on a cipher that is then refused.</summary>
    /// <exception cref="Qcow2Exception">This engine does not know one of them; the message names it.</exception>
    internal static LuksKeyScheme Resolve(LuksHeader header)
        => new(header, LuksCipherSpec.Resolve(header), LuksHash.Resolve(header.HashSpec, "LUKS hash-spec"));

    /// <summary>Makes the cipher of the volume's data.</summary>
    internal SectorCipher CreateCipher(ReadOnlySpan<byte> masterKey) => _cipher.Create(masterKey);

    /// <summary>Derives the key that a slot's material is encrypted with. This is what takes seconds.</summary>
    /// <param name="passphrase">The passphrase, which keeps the key so that it is not derived again.</param>
    /// <param name="salt">The slot's salt.</param>
    /// <param name="iterations">The slot's iterations.</param>
    /// <param name="slotKey">Receives the key.</param>
    /// <param name="cancellationToken">Ends the derivation.</param>
    internal void DeriveSlotKey(Passphrase passphrase, byte[] salt, uint iterations, Span<byte> slotKey, CancellationToken cancellationToken)
    {
        string name = $"{Hash.Algorithm.Name} {iterations} {slotKey.Length} {Convert.ToBase64String(salt)}";
        if (!passphrase.Keys.TryGet(name, slotKey))
        {
            Pbkdf2.Derive(Hash, passphrase.Utf8, salt, (int)iterations, slotKey, cancellationToken);
            passphrase.Keys.Add(name, slotKey);
        }
    }

    /// <summary>Splits the master key and encrypts the stripes: the key material of a slot.</summary>
    /// <param name="masterKey">The master key.</param>
    /// <param name="slotKey">The slot's key.</param>
    /// <param name="material">Receives the material.</param>
    internal void Seal(ReadOnlySpan<byte> masterKey, ReadOnlySpan<byte> slotKey, Span<byte> material)
    {
        material.Clear();
        AntiForensicSplit.Split(masterKey, Hash, material.Slice(0, KeyBytes * LuksHeader.Stripes));
        using SectorCipher cipher = _cipher.Create(slotKey);
        cipher.Encrypt(0, material);
    }

    /// <summary>Decrypts key material where it is and puts the stripes together. With another slot key than the right one the result is noise.</summary>
    /// <param name="material">The material, of which the stripes are left.</param>
    /// <param name="slotKey">The slot's key.</param>
    /// <param name="masterKey">Receives what may be the master key.</param>
    internal void Open(Span<byte> material, ReadOnlySpan<byte> slotKey, Span<byte> masterKey)
    {
        using SectorCipher cipher = _cipher.Create(slotKey);
        cipher.Decrypt(0, material);
        AntiForensicSplit.Merge(material.Slice(0, KeyBytes * LuksHeader.Stripes), Hash, masterKey);
    }

    /// <summary>Whether a key is the master key, by the header's digest of it.</summary>
    /// <param name="candidate">The key.</param>
    /// <param name="keys">Knows the master key, where this was asked before with the same passphrase.</param>
    /// <param name="cancellationToken">Ends the derivation of the digest.</param>
    internal bool IsMasterKey(ReadOnlySpan<byte> candidate, DerivedKeys keys, CancellationToken cancellationToken)
    {
        using var known = new SecretBuffer(candidate.Length);
        if (keys.TryGet(MasterKeyName, known.Span))
        {
            return CryptographicOperations.FixedTimeEquals(candidate, known.Span); // No other key has that digest.
        }

        Span<byte> digest = stackalloc byte[_header.MasterKeyDigest.Length];
        Pbkdf2.Derive(Hash, candidate, _header.MasterKeySalt, (int)_header.MasterKeyIterations, digest, cancellationToken);
        if (!CryptographicOperations.FixedTimeEquals(digest, _header.MasterKeyDigest))
        {
            return false;
        }

        Remember(candidate, keys);
        return true;
    }

    /// <summary>Keeps the master key, for the next time that it is asked for.</summary>
    internal void Remember(ReadOnlySpan<byte> masterKey, DerivedKeys keys) => keys.Add(MasterKeyName, masterKey);

    private string MasterKeyName
        => $"master {Hash.Algorithm.Name} {_header.MasterKeyIterations} {Convert.ToBase64String(_header.MasterKeySalt)} {Convert.ToBase64String(_header.MasterKeyDigest)}";
}
