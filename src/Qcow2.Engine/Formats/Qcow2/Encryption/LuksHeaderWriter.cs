using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Disks.Encryption;
using static Qcow2.Engine.Formats.Qcow2.Encryption.LuksHeaderLayout;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Writes the fields of a LUKS partition header; the counterpart of <see cref="LuksHeaderParser"/>.</summary>
internal static class LuksHeaderWriter
{
    /// <summary>Writes the partition header.</summary>
    /// <param name="header">The fields.</param>
    /// <param name="bytes">Receives <see cref="LuksHeader.Size"/> bytes.</param>
    internal static void Write(LuksHeader header, Span<byte> bytes)
    {
        bytes.Slice(0, LuksHeader.Size).Clear();
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.Slice(VersionOffset), LuksHeaderLayout.Version);
        WriteText(header.CipherName, bytes.Slice(CipherNameOffset, NameLength));
        WriteText(header.CipherModeSpec, bytes.Slice(CipherModeOffset, NameLength));
        WriteText(header.HashSpec, bytes.Slice(HashSpecOffset, NameLength));
        WriteSectors(header.PayloadOffset, bytes.Slice(PayloadOffsetOffset));
        BinaryPrimitives.WriteInt32BigEndian(bytes.Slice(KeyBytesOffset), header.KeyBytes);
        header.MasterKeyDigest.CopyTo(bytes.Slice(DigestOffset));
        header.MasterKeySalt.CopyTo(bytes.Slice(DigestSaltOffset));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.Slice(DigestIterationsOffset), header.MasterKeyIterations);
        WriteText(header.Uuid, bytes.Slice(UuidOffset, UuidLength));
        foreach (LuksKeySlot slot in header.KeySlots)
        {
            WriteKeySlot(slot, bytes.Slice(KeySlotsOffset + (slot.Index * KeySlotSize), KeySlotSize));
        }
    }

    /// <summary>Writes the entry of a key slot.</summary>
    internal static void WriteKeySlot(LuksKeySlot slot, Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, slot.IsActive ? SlotActive : SlotInactive);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.Slice(SlotIterationsOffset), slot.Iterations);
        slot.Salt.CopyTo(bytes.Slice(SlotSaltOffset));
        WriteSectors(slot.KeyMaterialOffset, bytes.Slice(SlotMaterialOffset));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.Slice(SlotStripesOffset), LuksHeader.Stripes);
    }

    // One byte at least stays for the NUL.
    private static void WriteText(string text, Span<byte> field) => Encoding.ASCII.GetBytes(text).AsSpan(0, Math.Min(text.Length, field.Length - 1)).CopyTo(field);

    private static void WriteSectors(long bytes, Span<byte> field)
        => BinaryPrimitives.WriteUInt32BigEndian(field, checked((uint)(bytes / SectorCipher.SectorSize)));
}
