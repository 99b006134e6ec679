using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>The cipher, mode and generator that a LUKS header names, known to this engine and fitting together.</summary>
internal sealed class LuksCipherSpec
{
    private readonly LuksModeSpec _mode;
    private readonly LuksHash _ivHash;

    private LuksCipherSpec(LuksModeSpec mode, LuksHash ivHash)
    {
        _mode = mode;
        _ivHash = ivHash;
    }

    /// <summary>Checks that this engine can decrypt what the header describes.</summary>
    /// <exception cref="Qcow2Exception">It cannot; the message names the field.</exception>
    internal static LuksCipherSpec Resolve(LuksHeader header)
    {
        if (header.CipherName != "aes")
        {
            throw Qcow2Errors.Unsupported($"LUKS cipher-name is \"{header.CipherName}\"; this module knows aes. qemu-img convert can copy the disk into an image that is encrypted with it.");
        }

        LuksModeSpec mode = LuksModeSpec.Parse(header.CipherModeSpec);
        if (mode.Mode is not (LuksModeSpec.Xts or LuksModeSpec.Cbc or LuksModeSpec.Ctr or LuksModeSpec.Ecb))
        {
            throw Unsupported(header, $"the mode \"{mode.Mode}\"; this module knows xts, cbc, ctr and ecb");
        }

        bool needsNone = mode.Mode == LuksModeSpec.Ecb && mode.IvGenerator is null;
        if (!needsNone && mode.IvGenerator is not (LuksModeSpec.Plain or LuksModeSpec.Plain64 or LuksModeSpec.Essiv))
        {
            throw Unsupported(
                header,
                $"{(mode.IvGenerator is null ? "no IV generator" : $"the IV generator \"{mode.IvGenerator}\"")}; this module knows plain, plain64 and essiv");
        }

        CheckKeyBytes(header.KeyBytes, mode.Mode);
        return new LuksCipherSpec(mode, mode.IvGenerator == LuksModeSpec.Essiv ? ResolveIvHash(header, mode.IvHash) : default);
    }

    /// <summary>Makes the cipher of a key: the master key, or the one that a passphrase makes for key material.</summary>
    /// <param name="key">As long as the header's <c>key-bytes</c>; copied.</param>
    internal SectorCipher Create(ReadOnlySpan<byte> key)
    {
        if (_mode.Mode == LuksModeSpec.Ecb)
        {
            return new AesEcbCipher(key);
        }

        IvGenerator ivs = _mode.IvGenerator switch
        {
            LuksModeSpec.Plain => CounterIvGenerator.Plain,
            LuksModeSpec.Plain64 => CounterIvGenerator.Plain64,
            _ => new EssivIvGenerator(key, _ivHash),
        };
        return _mode.Mode switch
        {
            LuksModeSpec.Xts => new AesXtsCipher(key, ivs),
            LuksModeSpec.Ctr => new AesCtrCipher(key, ivs),
            _ => new AesCbcCipher(key, ivs),
        };
    }

    private static void CheckKeyBytes(int keyBytes, string mode)
    {
        bool xts = mode == LuksModeSpec.Xts;
        if (xts ? keyBytes is not (32 or 48 or 64) : keyBytes is not (16 or 24 or 32))
        {
            throw Qcow2Errors.Unsupported(
                $"LUKS key-bytes is {keyBytes}; aes in {mode} mode takes {(xts ? "32, 48 or 64" : "16, 24 or 32")}.");
        }
    }

    // dm-crypt keys the generator with the whole digest, whatever the size of the data's key, so the digest has to be
    // as long as some AES key. Those of md5 and sha256 are.
    private static LuksHash ResolveIvHash(LuksHeader header, string? name)
    {
        if (name is null)
        {
            throw Qcow2Errors.Corrupt($"LUKS cipher-mode is \"{header.CipherModeSpec}\": the essiv generator needs a hash, as in essiv:sha256.");
        }

        LuksHash hash = LuksHash.Resolve(name, $"LUKS cipher-mode \"{header.CipherModeSpec}\"");
        return hash.DigestLength is 16 or 32
            ? hash
            : throw Unsupported(header, $"an essiv generator with {name}, whose {hash.DigestLength}-byte digest is no AES key; md5 and sha256 fit");
    }

    private static Qcow2Exception Unsupported(LuksHeader header, string what)
        => Qcow2Errors.Unsupported($"LUKS cipher-mode is \"{header.CipherModeSpec}\", which names {what}.");
}
