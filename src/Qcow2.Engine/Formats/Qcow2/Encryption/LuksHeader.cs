using System.Globalization;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>The partition header of LUKS version 1, checked, whether or not this engine knows the ciphers that it names.</summary>
/// <remarks>
/// "LUKS On-Disk Format Specification", version 1.2.3, section 2.1. In a QCOW2 image it lies where the "full disk
/// encryption header pointer" extension says, and key material offsets count from there.
/// </remarks>
internal sealed class LuksHeader
{
    /// <summary>Length of the partition header in bytes.</summary>
    internal const int Size = 592;

    internal const int KeySlotCount = 8;

    /// <summary>AES-256 in XTS mode has the longest master key: two keys of 32 bytes.</summary>
    internal const int MaxKeyBytes = 64;

    /// <summary>What the specification recommends, every known writer uses and QEMU insists on.</summary>
    internal const int Stripes = 4000;

    /// <summary>
    /// Iterations of PBKDF2 that are not refused. Formatting spends about two seconds, which came to eight million
    /// iterations on a processor with SHA instructions; the four thousand million that the field can hold are hours.
    /// </summary>
    internal const uint MaxIterations = 200_000_000;

    /// <summary>Field <c>cipher-name</c>, such as <c>aes</c>.</summary>
    internal required string CipherName { get; init; }

    /// <summary>Field <c>cipher-mode</c>: mode, generator and its hash, such as <c>cbc-essiv:sha256</c>.</summary>
    internal required string CipherModeSpec { get; init; }

    /// <summary>Field <c>hash-spec</c>, such as <c>sha256</c>.</summary>
    internal required string HashSpec { get; init; }

    /// <summary>Field <c>uuid</c>.</summary>
    internal required string Uuid { get; init; }

    /// <summary>Field <c>key-bytes</c>: length of the master key, 1 to <see cref="MaxKeyBytes"/>.</summary>
    internal required int KeyBytes { get; init; }

    /// <summary>Field <c>payload-offset</c>, in bytes. Not checked: in a QCOW2 image nothing lies there.</summary>
    internal required long PayloadOffset { get; init; }

    /// <summary>Field <c>mk-digest</c>.</summary>
    internal required byte[] MasterKeyDigest { get; init; }

    /// <summary>Field <c>mk-digest-salt</c>.</summary>
    internal required byte[] MasterKeySalt { get; init; }

    /// <summary>Field <c>mk-digest-iter</c>, 1 to <see cref="MaxIterations"/>.</summary>
    internal required uint MasterKeyIterations { get; init; }

    /// <summary>The eight key slots, in order.</summary>
    internal required IReadOnlyList<LuksKeySlot> KeySlots { get; init; }

    /// <summary>
    /// Bytes of key material in a slot: the master key split into stripes. A whole number of sectors, since
    /// cryptsetup encrypts whole ones where a key of 24 bytes leaves half a sector over.
    /// </summary>
    internal int KeyMaterialLength => MaterialLength(KeyBytes);

    /// <summary>Reads and checks the partition header.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes from the start of the header.</param>
    /// <param name="areaLength">
    /// Bytes from the start of the header in which key material may lie: the length that the QCOW2 extension gives, or
    /// the file's length for a plain LUKS file.
    /// </param>
    /// <exception cref="Qcow2Exception">The header is not LUKS version 1, contradicts itself or passes a limit.</exception>
    internal static LuksHeader Parse(ReadOnlySpan<byte> bytes, long areaLength) => LuksHeaderParser.Parse(bytes, areaLength);

    internal static int MaterialLength(int keyBytes)
        => (((keyBytes * Stripes) + SectorCipher.SectorSize - 1) / SectorCipher.SectorSize) * SectorCipher.SectorSize;

    /// <summary>What a person may know of the header.</summary>
    internal LuksInfo ToInfo()
    {
        LuksModeSpec mode = LuksModeSpec.Parse(CipherModeSpec);
        return new LuksInfo
        {
            CipherAlgorithm = $"{CipherName}-{(mode.Mode == LuksModeSpec.Xts ? KeyBytes / 2 : KeyBytes) * 8}",
            CipherMode = mode.Mode,
            IvGeneratorAlgorithm = mode.IvGenerator,
            IvGeneratorHash = mode.IvHash,
            HashAlgorithm = HashSpec,
            Uuid = Uuid,
            PayloadOffset = PayloadOffset,
            MasterKeyIterations = MasterKeyIterations,
            Slots = KeySlots.Select(ToInfo).ToArray(),
        };
    }

    private static LuksKeySlotInfo ToInfo(LuksKeySlot slot) => new()
    {
        Index = slot.Index,
        IsActive = slot.IsActive,
        Iterations = slot.IsActive ? slot.Iterations : null,
        Salt = slot.IsActive ? string.Concat(slot.Salt.Select(value => value.ToString("x2", CultureInfo.InvariantCulture))) : null,
        Stripes = slot.IsActive ? Stripes : null,
        KeyOffset = slot.KeyMaterialOffset,
    };
}
