namespace Qcow2.Engine.Format;

/// <summary>An extension this engine does not know. It is kept and written back as it was.</summary>
public sealed class UnknownHeaderExtension : HeaderExtension
{
    /// <summary>Creates the extension.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="data">Its data.</param>
    public UnknownHeaderExtension(HeaderExtensionType type, ReadOnlyMemory<byte> data)
        : this(type, data.ToArray(), null)
    {
    }

    internal UnknownHeaderExtension(HeaderExtensionType type, byte[] data, byte[]? padding)
        : base(type, data, padding)
    {
    }
}
