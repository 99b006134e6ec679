namespace Qcow2.Engine;

/// <summary>How a passphrase is set in a key slot.</summary>
public sealed record KeySlotOptions
{
    /// <summary>The defaults: a slot that is found, nothing is forced, two seconds.</summary>
    public static KeySlotOptions Default { get; } = new();

    /// <summary>The slot, 0 to 7. Null for the first one that is free or, where a passphrase is changed, the one that it opens.</summary>
    public int? KeySlot { get; init; }

    /// <summary>
    /// Whether the passphrase of a slot is replaced that nobody proved to know, and a slot overwritten where it lies if there is no free one. Of the latter a
    /// crash at the wrong moment leaves neither the old nor the new passphrase; those of other slots are not touched.
    /// </summary>
    public bool Force { get; init; }

    /// <summary>
    /// How long it is to take to try the passphrase on a machine like this one, as with <see cref="Qcow2CreateOptions.KeyDerivationTime"/>. Two seconds by default.
    /// </summary>
    public TimeSpan KeyDerivationTime { get; init; } = TimeSpan.FromSeconds(2);
}
