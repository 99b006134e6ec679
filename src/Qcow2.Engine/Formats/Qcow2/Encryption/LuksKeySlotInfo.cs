namespace Qcow2.Engine;

/// <summary>One key slot of a LUKS volume: a copy of the master key that one passphrase opens.</summary>
public sealed class LuksKeySlotInfo
{
    /// <summary>The slot's number, 0 to 7.</summary>
    public int Index { get; set; }

    /// <summary>Whether a passphrase is set for the slot.</summary>
    public bool IsActive { get; set; }

    /// <summary>Iterations of PBKDF2 that a passphrase goes through; null when the slot is not active.</summary>
    public long? Iterations { get; set; }

    /// <summary>
    /// The salt of PBKDF2, in hexadecimal digits; null when the slot is not active. It is no secret, and another one with each passphrase that is set.
    /// </summary>
    public string? Salt { get; set; }

    /// <summary>Into how many stripes the key is split, so that erasing any of them destroys it; null when the slot is not active.</summary>
    public long? Stripes { get; set; }

    /// <summary>Where the slot's key material lies, in bytes from the start of the LUKS header.</summary>
    public long KeyOffset { get; set; }
}
