namespace Qcow2.Engine.Format;

/// <summary>
/// An extension that claims more bytes than the extension area has left. What it and all behind it say is not known; their
/// bytes, up to the end of the area, are kept and written back as they were.
/// </summary>
public sealed class OversizedHeaderExtension : HeaderExtension
{
    private readonly uint _length;

    internal OversizedHeaderExtension(HeaderExtensionType type, uint length, int position, byte[] rest)
        : base(type, rest, [])
    {
        _length = length;
        Fault = Qcow2Errors.Corrupt(
            $"The header extension 0x{(uint)type:x8} at 0x{position:x} claims {length} bytes; only {rest.Length} are left in the extension area.");
    }

    /// <inheritdoc/>
    private protected override uint StatedLength => _length;
}
