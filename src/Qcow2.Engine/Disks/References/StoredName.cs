using System.Text;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.References;

/// <summary>The name of a backing file as QEMU's formats store it: UTF-8 by custom, any bytes in fact, with its length beside it.</summary>
internal static class StoredName
{
    /// <summary>Longest name, in bytes; QEMU's limit.</summary>
    private const int MaxBytes = 1023;

    /// <summary>Reads a name.</summary>
    /// <param name="file">The image.</param>
    /// <param name="offset">Where the name lies.</param>
    /// <param name="length">Its length, in bytes.</param>
    /// <param name="headerLength">Where it can lie at the earliest.</param>
    /// <param name="end">Where it must have ended.</param>
    /// <returns>Null for a name without a byte.</returns>
    /// <exception cref="Qcow2Exception">It is too long, or lies elsewhere.</exception>
    internal static string? Read(BlockStorage file, ulong offset, uint length, int headerLength, long end)
    {
        if (length > MaxBytes)
        {
            throw Qcow2Errors.Limit("The length of the backing file's name", length, MaxBytes, "bytes");
        }

        if (length == 0)
        {
            return null;
        }

        end = Math.Min(end, file.Length);
        if (offset < (ulong)headerLength || end < length || offset > (ulong)(end - length))
        {
            throw Qcow2Errors.Corrupt($"The backing file's name of {length} bytes is said to lie at 0x{offset:x}; it must lie between 0x{headerLength:x} and 0x{end:x}.");
        }

        byte[] bytes = new byte[length];
        file.ReadZeroPadded((long)offset, bytes);
        return Encoding.UTF8.GetString(bytes);
    }
}
