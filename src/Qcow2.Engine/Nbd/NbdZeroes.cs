using System.Buffers;

namespace Qcow2.Engine.Nbd;

/// <summary>Writes zeros, where asked for so that what is written there next cannot lack space.</summary>
internal static class NbdZeroes
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>Makes a range read as zeros.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="offset">Where, in bytes.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="isProvisioned">Whether each byte is to have its place in the file (NBD_CMD_FLAG_NO_HOLE).</param>
    /// <param name="isWanted">Asked now and then: whether to go on.</param>
    internal static void Write(VirtualDisk disk, long offset, long length, bool isProvisioned, Func<bool> isWanted)
    {
        disk.WriteZeroes(offset, length, keepAllocation: isProvisioned);
        if (!isProvisioned)
        {
            return;
        }

        foreach (DiskExtent extent in disk.GetExtents(offset, length).ToList()) // They change as they are filled.
        {
            if (!HasPlace(disk, extent))
            {
                Fill(disk, extent, isWanted);
            }
        }
    }

    private static bool HasPlace(VirtualDisk disk, DiskExtent extent)
        => extent.Kind == ExtentKind.Data || (!disk.HasPlaceForAll && extent.Depth == 0 && extent.HostOffset is not null);

    private static void Fill(VirtualDisk disk, DiskExtent extent, Func<bool> isWanted)
    {
        byte[] zeros = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            Array.Clear(zeros, 0, PieceBytes);
            for (long offset = extent.Offset; offset < extent.End && isWanted(); offset += PieceBytes)
            {
                disk.Write(offset, zeros.AsSpan(0, (int)Math.Min(PieceBytes, extent.End - offset)));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }
    }
}
