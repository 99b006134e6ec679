using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Disks.Encryption;
using static Qcow2.Engine.Formats.Qcow2.Encryption.LuksHeaderLayout;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Reads the fields of a LUKS partition header and refuses what QEMU's <c>qcrypto_block_luks_check_header</c> refuses.</summary>
internal static class LuksHeaderParser
{
    internal static LuksHeader Parse(ReadOnlySpan<byte> bytes, long areaLength)
    {
        if (Math.Min(bytes.Length, areaLength) < LuksHeader.Size)
        {
            throw Qcow2Errors.Corrupt(
                $"The LUKS header is {Math.Min(bytes.Length, areaLength)} bytes long; it takes at least {LuksHeader.Size}.");
        }

        if (!bytes.StartsWith(Magic))
        {
            throw Qcow2Errors.Corrupt("The LUKS header does not begin with the LUKS magic number.");
        }

        ushort version = BinaryPrimitives.ReadUInt16BigEndian(bytes.Slice(VersionOffset));
        if (version != LuksHeaderLayout.Version)
        {
            throw Qcow2Errors.Unsupported($"LUKS version is {version}; this engine reads version 1.");
        }

        int keyBytes = ParseKeyBytes(U32(bytes, KeyBytesOffset));
        return new LuksHeader
        {
            CipherName = ParseText(bytes.Slice(CipherNameOffset, NameLength), "cipher-name"),
            CipherModeSpec = ParseText(bytes.Slice(CipherModeOffset, NameLength), "cipher-mode"),
            HashSpec = ParseText(bytes.Slice(HashSpecOffset, NameLength), "hash-spec"),
            Uuid = ParseText(bytes.Slice(UuidOffset, UuidLength), "uuid"),
            KeyBytes = keyBytes,
            PayloadOffset = (long)U32(bytes, PayloadOffsetOffset) * SectorCipher.SectorSize,
            MasterKeyDigest = bytes.Slice(DigestOffset, DigestLength).ToArray(),
            MasterKeySalt = bytes.Slice(DigestSaltOffset, SaltLength).ToArray(),
            MasterKeyIterations = CheckIterations(U32(bytes, DigestIterationsOffset), "LUKS mk-digest-iter"),
            KeySlots = ParseKeySlots(bytes.Slice(KeySlotsOffset), LuksHeader.MaterialLength(keyBytes), areaLength),
        };
    }

    private static int ParseKeyBytes(uint value) => value switch
    {
        0 => throw Qcow2Errors.Corrupt("LUKS key-bytes is 0."),
        > LuksHeader.MaxKeyBytes => throw Qcow2Errors.Limit("LUKS key-bytes", value, LuksHeader.MaxKeyBytes),
        _ => (int)value,
    };

    // Printable ASCII only: these strings go into messages and onto terminals.
    private static string ParseText(ReadOnlySpan<byte> field, string name)
    {
        int length = field.IndexOf((byte)0);
        if (length < 0)
        {
            throw Qcow2Errors.Corrupt($"LUKS {name} has no terminating NUL in its {field.Length} bytes.");
        }

        var text = new StringBuilder(length);
        for (int i = 0; i < length; i++)
        {
            if (field[i] is <= 0x20 or >= 0x7F)
            {
                throw Qcow2Errors.Corrupt($"LUKS {name} holds the byte 0x{field[i]:x2} at {i}; it may hold printable ASCII only.");
            }

            text.Append((char)field[i]);
        }

        return text.ToString();
    }

    private static LuksKeySlot[] ParseKeySlots(ReadOnlySpan<byte> bytes, int materialLength, long areaLength)
    {
        var slots = new LuksKeySlot[LuksHeader.KeySlotCount];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = ParseKeySlot(bytes.Slice(i * KeySlotSize, KeySlotSize), i);
            CheckMaterial(slots, i, materialLength, areaLength);
        }

        return slots;
    }

    private static LuksKeySlot ParseKeySlot(ReadOnlySpan<byte> bytes, int index)
    {
        uint state = U32(bytes, 0);
        if (state is not (SlotActive or SlotInactive))
        {
            throw Qcow2Errors.Corrupt(
                $"LUKS key slot {index} active is 0x{state:x8}; it may be 0x{SlotActive:x8} (active) or 0x{SlotInactive:x8} (inactive).");
        }

        uint stripes = U32(bytes, SlotStripesOffset);
        if (stripes != LuksHeader.Stripes)
        {
            throw stripes > LuksHeader.Stripes
                ? Qcow2Errors.Limit($"LUKS key slot {index} stripes", stripes, LuksHeader.Stripes)
                : Qcow2Errors.Corrupt($"LUKS key slot {index} stripes is {stripes}; it must be {LuksHeader.Stripes}.");
        }

        uint iterations = U32(bytes, SlotIterationsOffset);
        return new LuksKeySlot(
            index,
            state == SlotActive,
            // Erasing a slot sets its iterations to 0.
            state == SlotActive ? CheckIterations(iterations, $"LUKS key slot {index} iterations") : iterations,
            bytes.Slice(SlotSaltOffset, SaltLength).ToArray(),
            (long)U32(bytes, SlotMaterialOffset) * SectorCipher.SectorSize);
    }

    private static uint CheckIterations(uint value, string field) => value switch
    {
        0 => throw Qcow2Errors.Corrupt($"{field} is 0."),
        > LuksHeader.MaxIterations => throw Qcow2Errors.Limit(field, value, LuksHeader.MaxIterations),
        _ => value,
    };

    private static void CheckMaterial(LuksKeySlot[] slots, int index, int length, long areaLength)
    {
        long offset = slots[index].KeyMaterialOffset;
        if (offset < LuksHeader.Size)
        {
            throw Qcow2Errors.Corrupt(
                $"LUKS key slot {index} key-material-offset is 0x{offset:x}, inside the partition header, which is {LuksHeader.Size} bytes long.");
        }

        if (offset + length > areaLength)
        {
            throw Qcow2Errors.Corrupt(
                $"LUKS key slot {index} key-material-offset is 0x{offset:x}: {length} bytes from there do not fit in the LUKS header, which ends at 0x{areaLength:x}.");
        }

        for (int other = 0; other < index; other++)
        {
            if (Math.Abs(offset - slots[other].KeyMaterialOffset) < length)
            {
                throw Qcow2Errors.Corrupt(
                    $"LUKS key slot {index} key-material-offset is 0x{offset:x}: its {length} bytes overlap those of key slot {other} at 0x{slots[other].KeyMaterialOffset:x}.");
            }
        }
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(offset));
}
