using Qcow2.Engine.Disks;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>The key slots of a LUKS header that are changed. All that takes time, and all that can be refused, comes before the first write.</summary>
internal sealed class LuksKeySlots
{
    private readonly LuksHeader _header;
    private readonly LuksKeyScheme _scheme;
    private readonly LuksKeyMaterialReader _read;
    private readonly LuksKeySlotWriter _writer;
    private readonly CancellationToken _cancellationToken;

    /// <summary>Prepares a change.</summary>
    /// <param name="header">The header, all of whose algorithms must be known.</param>
    /// <param name="read">Reads from the area of the header.</param>
    /// <param name="writer">Writes there.</param>
    /// <param name="cancellationToken">Ends the work before the first write, and not afterwards.</param>
    internal LuksKeySlots(LuksHeader header, LuksKeyMaterialReader read, LuksKeySlotWriter writer, CancellationToken cancellationToken)
    {
        _header = header;
        _scheme = LuksKeyScheme.Resolve(header);
        _read = read;
        _writer = writer;
        _cancellationToken = cancellationToken;
    }

    /// <summary>Sets a passphrase in a slot that has none, or with force replaces one.</summary>
    /// <returns>The slot's number.</returns>
    internal int Add(Passphrase passphrase, Passphrase added, KeySlotOptions options)
    {
        LuksKeySlot slot = options.KeySlot is int index ? _header.KeySlots[index]
            : FirstFree() ?? throw new Qcow2Exception(Qcow2ErrorCode.KeySlotsFull, $"All {_header.KeySlots.Count} key slots have a passphrase. Remove one first.");
        if (slot.IsActive && !options.Force)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.KeySlotInUse, $"Key slot {slot.Index} has a passphrase already. Take another slot, or remove it first.");
        }

        using var masterKey = new SecretBuffer(_scheme.KeyBytes);
        LuksUnlocker.FindSlot(_header, _scheme, _read, passphrase, masterKey.Span, _cancellationToken);
        using SealedKey sealedKey = Seal(masterKey.Span, added, options.KeyDerivationTime);
        if (slot.IsActive)
        {
            Replace(slot, FirstFree(), sealedKey);
        }
        else
        {
            Fill(slot, sealedKey);
        }

        return slot.Index;
    }

    /// <summary>Exchanges a passphrase for another one, in the same slot.</summary>
    /// <returns>The slot's number.</returns>
    internal int Change(Passphrase passphrase, Passphrase changed, KeySlotOptions options)
    {
        using var masterKey = new SecretBuffer(_scheme.KeyBytes);
        List<LuksKeySlot> old = options.KeySlot is int index
            ? [RequireChangeable(_header.KeySlots[index], passphrase, masterKey.Span, options.Force)]
            : SlotsOf(passphrase, masterKey.Span);
        LuksKeySlot? scratch = FirstFree();
        if (scratch is null && old.Count == 1 && !options.Force)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.KeySlotsFull,
                $"All {_header.KeySlots.Count} key slots have a passphrase. The new one is written to a free slot before the old one is erased, so that a crash in between does no "
                + "harm. Remove a slot first; with force the one is overwritten where it lies, and a crash in that moment loses it.");
        }

        using SealedKey sealedKey = Seal(masterKey.Span, changed, options.KeyDerivationTime);
        for (int i = 1; i < old.Count; i++)
        {
            _writer.Wipe(old[i]); // The first one still opens.
        }

        Replace(old[0], scratch ?? (old.Count > 1 ? old[1] : null), sealedKey);
        return old[0].Index;
    }

    /// <summary>Erases slots.</summary>
    /// <param name="slots">Their numbers.</param>
    /// <param name="remaining">A passphrase that must open a slot that is left; null to ask for none.</param>
    /// <param name="force">Whether the last one may be erased, too, and slots that are not in use.</param>
    internal void Remove(IReadOnlyCollection<int> slots, Passphrase? remaining, bool force)
    {
        if (!force && _header.KeySlots.FirstOrDefault(slot => slots.Contains(slot.Index) && !slot.IsActive) is LuksKeySlot unused)
        {
            throw NotInUse(unused);
        }

        List<LuksKeySlot> left = [.. _header.KeySlots.Where(slot => slot.IsActive && !slots.Contains(slot.Index))];
        if (left.Count == 0 && !force)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.LastKeySlot,
                "No other key slot has a passphrase: nothing would open the disk any more, and its data would be gone for good. Add another passphrase first.");
        }

        if (remaining is not null && left.Count > 0)
        {
            using var masterKey = new SecretBuffer(_scheme.KeyBytes);
            if (!left.Any(slot => Opens(slot, remaining, masterKey.Span)))
            {
                throw new Qcow2Exception(
                    Qcow2ErrorCode.PassphraseIncorrect, "The passphrase that is to remain opens none of the key slots that would be left. Nothing was removed.");
            }
        }

        _cancellationToken.ThrowIfCancellationRequested();
        foreach (LuksKeySlot slot in _header.KeySlots.Where(slot => slots.Contains(slot.Index)))
        {
            _writer.Wipe(slot);
        }
    }

    /// <summary>The slots that a passphrase opens.</summary>
    internal List<int> Find(Passphrase passphrase)
    {
        using var masterKey = new SecretBuffer(_scheme.KeyBytes);
        return [.. SlotsOf(passphrase, masterKey.Span).Select(slot => slot.Index)];
    }

    private LuksKeySlot RequireChangeable(LuksKeySlot slot, Passphrase passphrase, Span<byte> masterKey, bool force)
    {
        if (!slot.IsActive)
        {
            throw NotInUse(slot);
        }

        if (Opens(slot, passphrase, masterKey))
        {
            return slot;
        }

        LuksKeySlot opened = LuksUnlocker.FindSlot(_header, _scheme, _read, passphrase, masterKey, _cancellationToken);
        return force ? slot : throw new Qcow2Exception(
            Qcow2ErrorCode.KeySlotInUse,
            $"The passphrase is that of key slot {opened.Index}, and not of slot {slot.Index}, which has another one. It would be lost.");
    }

    private List<LuksKeySlot> SlotsOf(Passphrase passphrase, Span<byte> masterKey)
    {
        using var other = new SecretBuffer(masterKey.Length);
        LuksKeySlot first = LuksUnlocker.FindSlot(_header, _scheme, _read, passphrase, masterKey, _cancellationToken);
        List<LuksKeySlot> found = [first];
        foreach (LuksKeySlot slot in _header.KeySlots.Where(slot => slot.IsActive && slot.Index > first.Index))
        {
            if (Opens(slot, passphrase, other.Span))
            {
                found.Add(slot);
            }
        }

        return found;
    }

    private bool Opens(LuksKeySlot slot, Passphrase passphrase, Span<byte> masterKey)
        => LuksUnlocker.Opens(_scheme, slot, _read, passphrase, masterKey, _cancellationToken);

    private LuksKeySlot? FirstFree() => _header.KeySlots.FirstOrDefault(slot => !slot.IsActive);

    private SealedKey Seal(ReadOnlySpan<byte> masterKey, Passphrase passphrase, TimeSpan time)
    {
        if (passphrase.Utf8.IsEmpty)
        {
            throw new ArgumentException("An empty passphrase protects nothing.", nameof(passphrase));
        }

        uint iterations = LuksIterations.ForSlot(_scheme.Hash, _scheme.KeyBytes, time, _cancellationToken);
        byte[] salt = LuksKeySlot.NewSalt();
        using var slotKey = new SecretBuffer(_scheme.KeyBytes);
        _scheme.DeriveSlotKey(passphrase, salt, iterations, slotKey.Span, _cancellationToken);
        var material = new SecretBuffer(_scheme.MaterialLength);
        _scheme.Seal(masterKey, slotKey.Span, material.Span);
        _cancellationToken.ThrowIfCancellationRequested();
        return new SealedKey(salt, iterations, material);
    }

    /// <summary>
    /// Exchanges what a slot holds. Sealed once, the key fits in any slot: it is in the scratch slot while the other one is erased and filled.
    /// </summary>
    private void Replace(LuksKeySlot slot, LuksKeySlot? scratch, SealedKey sealedKey)
    {
        if (scratch is not null)
        {
            Fill(scratch, sealedKey);
        }

        _writer.Wipe(slot);
        Fill(slot, sealedKey);
        if (scratch is not null)
        {
            _writer.Wipe(scratch);
        }
    }

    private void Fill(LuksKeySlot slot, SealedKey sealedKey)
        => _writer.Fill(slot with { IsActive = true, Iterations = sealedKey.Iterations, Salt = sealedKey.Salt }, sealedKey.Material.Span);

    private static Qcow2Exception NotInUse(LuksKeySlot slot)
        => new(Qcow2ErrorCode.KeySlotNotInUse, $"Key slot {slot.Index} has no passphrase.");

    /// <summary>A master key as one passphrase opens it.</summary>
    private sealed record SealedKey(byte[] Salt, uint Iterations, SecretBuffer Material) : IDisposable
    {
        public void Dispose() => Material.Dispose();
    }
}
