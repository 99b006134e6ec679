using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>One of eight places that say where the parent lies (spec: "Parent Locator Entries").</summary>
/// <param name="Platform">What sort of name it is, as four characters; 0 for none.</param>
/// <param name="DataSpace">Room for the name, in sectors by the specification and in bytes by Windows: nothing to rely on.</param>
/// <param name="DataLength">Bytes of the name.</param>
/// <param name="DataOffset">Where in the file the name lies.</param>
internal readonly record struct VhdParentLocator(uint Platform, uint DataSpace, uint DataLength, ulong DataOffset)
{
    internal const int Length = 24;

    /// <summary><c>W2ru</c>: a path of Windows that starts from the child's folder.</summary>
    internal const uint RelativeWindowsPath = 0x57327275;

    /// <summary><c>W2ku</c>: a whole path of Windows.</summary>
    internal const uint AbsoluteWindowsPath = 0x57326b75;

    internal static VhdParentLocator Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32BigEndian(bytes),
        BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(4)),
        BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(8)),
        BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(16)));

    /// <summary>Whether it is a name that is read here. The older ones in the machine's code page and those of a Mac are not.</summary>
    internal bool IsReadable => Platform is RelativeWindowsPath or AbsoluteWindowsPath;

    /// <summary>Reads the name. It is little-endian, as nothing else in the format is.</summary>
    /// <exception cref="Qcow2Exception">It is longer than any path, or does not lie in the file.</exception>
    internal string ReadPath(BlockStorage storage)
    {
        string field = $"The parent locator {VhdText.Code(Platform)}";
        if (DataLength > VhdLimits.MaxLocatorBytes)
        {
            throw Qcow2Errors.Limit($"{field}'s platform_data_length", DataLength, VhdLimits.MaxLocatorBytes, "bytes");
        }

        if (DataOffset > (ulong)storage.Length || DataLength > (ulong)storage.Length - DataOffset)
        {
            throw Qcow2Errors.PastEnd(field, DataOffset, DataLength, storage.Length);
        }

        byte[] bytes = new byte[DataLength & ~1u];
        storage.ReadZeroPadded((long)DataOffset, bytes);
        return VhdText.UpToNull(Encoding.Unicode.GetString(bytes));
    }
}
