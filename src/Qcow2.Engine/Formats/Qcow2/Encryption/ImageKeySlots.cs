using Qcow2.Engine.Disks;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Checking;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// Adds, changes and removes passphrases of an image that is encrypted with LUKS: what <c>qemu-img amend</c> does with its options <c>encrypt.state</c>,
/// <c>encrypt.new-secret</c> and <c>encrypt.old-secret</c>.
/// </summary>
/// <remarks>
/// <para>
/// Eight key slots hold the one key of the disk, each encrypted with another passphrase. No data is written anew. A new passphrase is on the disk before
/// the one that it replaces is erased: whenever this ends, the old one opens the image, or the new one, or both.
/// </para>
/// <para>
/// The key material of a slot is overwritten before the slot is given up. That cannot promise that it is nowhere any more: a solid-state drive keeps old
/// sectors for a while; file systems with copy on write, their snapshots, reflinked copies and journals keep old blocks; backups of the image, or of its LUKS
/// header, open with the old passphrase for ever. And the key of the disk stays the same: whoever was able to open it may have kept that. Where this matters,
/// convert the image, which gives it another key.
/// </para>
/// </remarks>
public static class ImageKeySlots
{
    /// <summary>Adds a passphrase.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="passphrase">One that opens the image.</param>
    /// <param name="added">The new one, which is not empty.</param>
    /// <param name="options">How; null for <see cref="KeySlotOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends key derivation; nothing has been written then.</param>
    /// <returns>The slot that has it.</returns>
    /// <exception cref="ArgumentException">The new passphrase is empty, or there is no such slot.</exception>
    /// <exception cref="NotSupportedException">The image is not encrypted with LUKS.</exception>
    /// <exception cref="Qcow2Exception">
    /// <see cref="Qcow2ErrorCode.PassphraseIncorrect"/>, <see cref="Qcow2ErrorCode.KeySlotInUse"/>, <see cref="Qcow2ErrorCode.KeySlotsFull"/>; or the image is
    /// damaged or locked. Nothing has changed.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    public static int Add(
        string path, Passphrase passphrase, Passphrase added, KeySlotOptions? options = null, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.OpenForWriting(path);
        return Add(file, passphrase, added, options, cancellationToken);
    }

    /// <summary>
    /// Changes a passphrase, in the same slot. If more slots have it, and none was chosen, the first gets the new one, and the others are erased: the old
    /// passphrase opens nothing any more.
    /// </summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="passphrase">The one that is changed; with a slot and force any that opens the image.</param>
    /// <param name="changed">The new one, which is not empty.</param>
    /// <param name="options">How; null for <see cref="KeySlotOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends key derivation; nothing has been written then.</param>
    /// <returns>The slot that has it.</returns>
    /// <exception cref="ArgumentException">The new passphrase is empty, or there is no such slot.</exception>
    /// <exception cref="NotSupportedException">The image is not encrypted with LUKS.</exception>
    /// <exception cref="Qcow2Exception">
    /// <see cref="Qcow2ErrorCode.PassphraseIncorrect"/>, <see cref="Qcow2ErrorCode.KeySlotInUse"/>, <see cref="Qcow2ErrorCode.KeySlotNotInUse"/>,
    /// <see cref="Qcow2ErrorCode.KeySlotsFull"/>; or the image is damaged or locked. Nothing has changed.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    public static int Change(
        string path, Passphrase passphrase, Passphrase changed, KeySlotOptions? options = null, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.OpenForWriting(path);
        return Change(file, passphrase, changed, options, cancellationToken);
    }

    /// <summary>Removes the passphrases of slots.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="slots">The slots, 0 to 7.</param>
    /// <param name="remaining">A passphrase that must open one of the slots that are left; null to ask for none.</param>
    /// <param name="force">
    /// Whether all slots may be erased, after which nothing opens the disk any more and its data is gone for good; and those that are not in use, of which
    /// a program that was cut short may have left the key material.
    /// </param>
    /// <param name="cancellationToken">Ends key derivation; nothing has been written then.</param>
    /// <exception cref="ArgumentException">There is no such slot.</exception>
    /// <exception cref="NotSupportedException">The image is not encrypted with LUKS.</exception>
    /// <exception cref="Qcow2Exception">
    /// <see cref="Qcow2ErrorCode.LastKeySlot"/>, <see cref="Qcow2ErrorCode.KeySlotNotInUse"/>, <see cref="Qcow2ErrorCode.PassphraseIncorrect"/>; or the image is
    /// damaged or locked. Nothing has changed.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write.</exception>
    public static void Remove(
        string path, IReadOnlyCollection<int> slots, Passphrase? remaining = null, bool force = false, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.OpenForWriting(path);
        Remove(file, slots, remaining, force, cancellationToken);
    }

    /// <summary>Finds the slots that a passphrase opens; it is tried on all that are in use.</summary>
    /// <param name="path">The image; a relative path is taken from the process's current directory.</param>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="cancellationToken">Ends key derivation.</param>
    /// <exception cref="NotSupportedException">The image is not encrypted with LUKS.</exception>
    /// <exception cref="Qcow2Exception"><see cref="Qcow2ErrorCode.PassphraseIncorrect"/>: it opens none; or the image is damaged.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public static IReadOnlyList<int> Find(string path, Passphrase passphrase, CancellationToken cancellationToken = default)
    {
        using LocalFile file = ImageFile.Open(path, Qcow2OpenOptions.Default);
        return Named(file, () => Open(file, HeaderCluster.Load(file), cancellationToken).Find(passphrase));
    }

    /// <summary>Adds a passphrase to an image in storage that stays the caller's.</summary>
    internal static int Add(BlockStorage file, Passphrase passphrase, Passphrase added, KeySlotOptions? options = null, CancellationToken cancellationToken = default)
        => Edit(file, Check(options), slots => slots.Add(passphrase, added, options ?? KeySlotOptions.Default), cancellationToken);

    /// <summary>Changes a passphrase of an image in storage that stays the caller's.</summary>
    internal static int Change(BlockStorage file, Passphrase passphrase, Passphrase changed, KeySlotOptions? options = null, CancellationToken cancellationToken = default)
        => Edit(file, Check(options), slots => slots.Change(passphrase, changed, options ?? KeySlotOptions.Default), cancellationToken);

    /// <summary>Removes passphrases of an image in storage that stays the caller's.</summary>
    internal static void Remove(
        BlockStorage file, IReadOnlyCollection<int> slots, Passphrase? remaining = null, bool force = false, CancellationToken cancellationToken = default)
        => Edit(file, slots, known =>
        {
            known.Remove(slots, remaining, force);
            return true;
        }, cancellationToken);

    private static int[] Check(KeySlotOptions? options)
        => options?.KeyDerivationTime < TimeSpan.Zero
            ? throw new ArgumentException($"Key derivation cannot take {options.KeyDerivationTime}; that is less than no time.", nameof(options))
            : options?.KeySlot is int slot ? [slot] : [];

    private static T Edit<T>(BlockStorage file, IReadOnlyCollection<int> slots, Func<LuksKeySlots, T> edit, CancellationToken cancellationToken)
    {
        foreach (int slot in slots.Where(slot => slot is < 0 or >= LuksHeader.KeySlotCount))
        {
            throw new ArgumentOutOfRangeException(nameof(slots), slot, $"Key slots have the numbers 0 to {LuksHeader.KeySlotCount - 1}.");
        }

        return Named(file, () =>
        {
            Qcow2Header header = HeaderCluster.Load(file);
            header.EnsureSupported();
            header.EnsureExtensionsKnown();
            Open(file, header, cancellationToken); // What has no slots is not repaired for them.
            header = DirtyImage.MakeWritable(file, header, cancellationToken);
            SnapshotTable snapshots = SnapshotTable.Load(file, header);
            snapshots.EnsureComplete();
            LuksArea.EnsureOwn(file, header, snapshots.Entries);
            return edit(Open(file, header, cancellationToken));
        });
    }

    internal static NotSupportedException HasNone(string path, EncryptionMethod method) => new(method == EncryptionMethod.Aes
        ? $"{path}: the image is encrypted with the legacy AES method, whose key is the one passphrase itself. Convert it to LUKS, which has key slots."
        : $"{path}: the image is not encrypted with LUKS, so it has no key slots.");

    private static LuksKeySlots Open(BlockStorage file, Qcow2Header header, CancellationToken cancellationToken)
    {
        if (ImageEncryption.ReadLuksHeader(file, header) is not LuksHeader luks)
        {
            throw HasNone(file.Path, header.EncryptionMethod);
        }

        long start = header.Extension<EncryptionHeaderExtension>()!.Offset;
        return new LuksKeySlots(
            luks,
            (offset, buffer) => file.ReadZeroPadded(start + offset, buffer),
            new LuksKeySlotWriter(file, header, start, luks.KeyMaterialLength),
            cancellationToken);
    }

    private static T Named<T>(BlockStorage file, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }
}
