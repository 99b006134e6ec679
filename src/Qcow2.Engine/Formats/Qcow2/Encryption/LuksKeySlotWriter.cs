using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;
using static Qcow2.Engine.Formats.Qcow2.Encryption.LuksHeaderLayout;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Sets and erases key slots of a LUKS header on the disk, so that a crash at any point leaves each slot usable as before, usable as wanted, or erased.</summary>
/// <remarks>
/// <para>
/// A slot's state and its iterations lie in one sector of 512 bytes, which a disk writes wholly or not at all; those of slot 6 and a part of its salt do not. So
/// a slot is filled while it is inactive, and one write of four bytes, when all the rest is on the disk, makes it active.
/// </para>
/// <para>
/// It is erased as cryptsetup does it (and the specification, section 4.4): its key material first, then its entry in the header. So a slot whose
/// erasing was cut short still says that it is in use, and can be erased again; in the other order nobody would know that its key material is still there.
/// In a file, as on anything but a rotating disk, cryptsetup overwrites once, with random bytes; so does this. The stripes make any sector of them that is
/// gone enough.
/// </para>
/// <para>
/// What overwriting cannot reach: sectors that a solid-state drive has put elsewhere, copies that a file system with copy on write, a snapshot, a reflink or
/// a journal keeps, backups, and what somebody made of the passphrase while it was known: the master key stays the same.
/// </para>
/// </remarks>
internal sealed class LuksKeySlotWriter
{
    private const AutoclearFeatures Kept = AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData;

    private readonly BlockStorage _image;
    private readonly Qcow2Header _header;
    private readonly long _start;
    private readonly int _materialLength;
    private bool _hasBegun;

    /// <summary>Prepares writing.</summary>
    /// <param name="image">The file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="start">Where the LUKS header lies in it, in bytes.</param>
    /// <param name="materialLength">Bytes of key material in a slot.</param>
    internal LuksKeySlotWriter(BlockStorage image, Qcow2Header header, long start, int materialLength)
    {
        _image = image;
        _header = header;
        _start = start;
        _materialLength = materialLength;
    }

    /// <summary>Gives a slot that is inactive its key material and makes it active. It is on the disk when this returns.</summary>
    /// <param name="slot">The slot as it is to be.</param>
    /// <param name="material">Its key material.</param>
    /// <exception cref="IOException">The host could not write. The slot is inactive, or active and whole.</exception>
    internal void Fill(LuksKeySlot slot, ReadOnlySpan<byte> material)
    {
        Begin();
        _image.Write(_start + slot.KeyMaterialOffset, material);
        WriteEntry(slot with { IsActive = false });
        _image.Flush();
        EnsureWritten(slot, material);

        Span<byte> state = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(state, SlotActive);
        _image.Write(EntryOffset(slot), state);
        _image.Flush();
    }

    /// <summary>Erases a slot. It is gone from the disk when this returns.</summary>
    /// <param name="slot">The slot as it is.</param>
    /// <exception cref="IOException">The host could not write. The slot is as before, unusable or erased.</exception>
    internal void Wipe(LuksKeySlot slot)
    {
        Begin();
        byte[] noise = new byte[_materialLength];
        SecureRandom.Fill(noise);
        _image.Write(_start + slot.KeyMaterialOffset, noise);
        _image.Flush();
        WriteEntry(slot with { IsActive = false, Iterations = 0, Salt = new byte[SaltLength] });
        _image.Flush();
    }

    /// <summary>Whoever writes withdraws what only a program that knows about it keeps true (spec: "autoclear_features").</summary>
    private void Begin()
    {
        if (!_hasBegun && _header.Version >= 3 && (_header.AutoclearFeatures & ~Kept) != 0)
        {
            byte[] field = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64BigEndian(field, (ulong)(_header.AutoclearFeatures & Kept));
            _image.Write(HeaderField.AutoclearFeatures, field);
            _image.Flush();
        }

        _hasBegun = true;
    }

    private void WriteEntry(LuksKeySlot slot)
    {
        byte[] entry = new byte[KeySlotSize];
        LuksHeaderWriter.WriteKeySlot(slot, entry);
        _image.Write(EntryOffset(slot), entry);
    }

    /// <summary>Whoever is about to erase an old slot relies on this one.</summary>
    private void EnsureWritten(LuksKeySlot slot, ReadOnlySpan<byte> material)
    {
        byte[] read = new byte[material.Length];
        _image.ReadZeroPadded(_start + slot.KeyMaterialOffset, read);
        if (!material.SequenceEqual(read))
        {
            throw new IOException($"{_image.Path}: the key material of slot {slot.Index} was read back as something else than was written. The slot was not made active.");
        }
    }

    private long EntryOffset(LuksKeySlot slot) => _start + KeySlotsOffset + (slot.Index * KeySlotSize);
}
