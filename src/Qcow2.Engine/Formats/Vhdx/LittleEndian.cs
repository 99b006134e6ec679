namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Values in the order of bytes that Windows writes.</summary>
internal static class LittleEndian
{
    /// <summary>Reads a GUID: its first three fields are numbers, the rest are bytes.</summary>
    internal static Guid ReadGuid(ReadOnlySpan<byte> bytes) => new(bytes.Slice(0, 16).ToArray());

    /// <summary>Writes a GUID as <see cref="ReadGuid"/> reads it.</summary>
    internal static void WriteGuid(Span<byte> bytes, Guid id) => id.ToByteArray().CopyTo(bytes);
}
