using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// What lies in a run of a disk that is a run of a file: data, and zeros where the file has holes. Formats that give a block its place as a whole leave
/// holes in it where nothing was written.
/// </summary>
internal static class FileExtents
{
    /// <summary>Divides a run by the holes of its file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="hostOffset">Where the run begins in the file.</param>
    /// <param name="offset">Where it begins on the disk.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="depth">How far down the chain the disk is.</param>
    internal static IEnumerable<DiskExtent> Of(BlockStorage file, long hostOffset, long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            StorageRun run = file.RunAt(hostOffset);

            // A file that another program changes meanwhile must not make this loop stand still.
            long count = Math.Min(end - offset, Math.Max(1, run.End - hostOffset));
            yield return new DiskExtent(offset, count, run.IsData ? ExtentKind.Data : ExtentKind.Zero, depth, file.Path, hostOffset, IsCompressed: false);
            offset += count;
            hostOffset += count;
        }
    }
}
