using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>What <see cref="LuksOptions"/> come to: the names that a header holds, the length of its keys and where the slots lie.</summary>
internal sealed class LuksPlan
{
    // What QEMU and cryptsetup align key material to.
    private const int Alignment = 4096;

    /// <summary>The one cipher that .NET has.</summary>
    internal const string CipherName = "aes";

    private LuksPlan(int keyBytes, string modeSpec, string hashSpec)
    {
        KeyBytes = keyBytes;
        CipherModeSpec = modeSpec;
        HashSpec = hashSpec;
    }

    internal string CipherModeSpec { get; }

    internal string HashSpec { get; }

    /// <summary>Length of the master key, in bytes.</summary>
    internal int KeyBytes { get; }

    /// <summary>Bytes that the partition header and the key material of all slots take.</summary>
    internal int AreaLength => (int)SlotOffset(LuksHeader.KeySlotCount);

    /// <summary>Checks the options against each other and against what is known here.</summary>
    /// <exception cref="ArgumentException">One of them is not known, or they do not go together; the message names it.</exception>
    internal static LuksPlan Of(LuksOptions options)
    {
        bool isXts = Known("mode", options.CipherMode, LuksModeSpec.Xts, LuksModeSpec.Cbc, LuksModeSpec.Ctr, LuksModeSpec.Ecb) == LuksModeSpec.Xts;
        int keyBytes = Known("cipher", options.CipherAlgorithm, "aes-128", "aes-192", "aes-256") switch
        {
            "aes-128" => 16,
            "aes-192" => 24,
            _ => 32,
        };
        if (keyBytes == 24 && !isXts)
        {
            throw new ArgumentException($"aes-192 in {options.CipherMode} mode is not made: QEMU ends with a failed assertion where it is to open it. Use aes-128 or aes-256, or xts mode.", nameof(options));
        }

        string generator = Known("IV generator", options.IvGeneratorAlgorithm, LuksModeSpec.Plain64, LuksModeSpec.Plain, LuksModeSpec.Essiv);
        string hash = Known("hash", options.HashAlgorithm, "sha256", "sha512", "sha384", "sha1", "md5");
        if (generator != LuksModeSpec.Essiv && options.IvGeneratorHash is not null)
        {
            throw new ArgumentException($"The IV generator {generator} has no hash; only essiv has one.", nameof(options));
        }

        // The whole digest is the generator's AES key, in QEMU as in dm-crypt.
        string spec = generator != LuksModeSpec.Essiv ? generator : $"{generator}:{Known("hash of the essiv generator", options.IvGeneratorHash ?? "sha256", "sha256", "md5")}";
        return new LuksPlan(isXts ? 2 * keyBytes : keyBytes, $"{options.CipherMode}-{spec}", hash);
    }

    /// <summary>Where the key material of a slot lies, in bytes from the start of the header.</summary>
    internal long SlotOffset(int index) => Align(LuksHeader.Size) + (index * (long)Align(LuksHeader.MaterialLength(KeyBytes)));

    private static int Align(int length) => (length + Alignment - 1) & -Alignment;

    private static string Known(string what, string name, params string[] known)
        => known.Contains(name, StringComparer.Ordinal) ? name
            : throw new ArgumentException($"The {what} of a LUKS header can be {string.Join(", ", known.Take(known.Length - 1))} or {known[known.Length - 1]} here, not \"{PrintableText.Of(name)}\".", nameof(name));
}
