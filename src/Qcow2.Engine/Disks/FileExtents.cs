using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>
/// What lies in runs of a disk that are runs of a file: data, and zeros where the file has holes. Formats that give a block its place as a whole leave
/// holes in it where nothing was written. For one walk through a disk, by one thread.
/// </summary>
/// <param name="file">The file.</param>
internal sealed class FileExtents(BlockStorage file)
{
    // The host looks for the end of a run page by page, and the blocks of a disk often lie in one run: it is asked once for each.
    private long _runStart;
    private StorageRun _run = new(IsData: true, End: 0);

    /// <summary>Divides a run by the holes of its file.</summary>
    /// <param name="hostOffset">Where the run begins in the file.</param>
    /// <param name="offset">Where it begins on the disk.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="depth">How far down the chain the disk is.</param>
    internal IEnumerable<DiskExtent> Of(long hostOffset, long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            StorageRun run = RunAt(hostOffset);

            // A file that another program changes meanwhile must not make this loop stand still.
            long count = Math.Min(end - offset, Math.Max(1, run.End - hostOffset));
            yield return new DiskExtent(offset, count, run.IsData ? ExtentKind.Data : ExtentKind.Zero, depth, file.Path, hostOffset, IsCompressed: false);
            offset += count;
            hostOffset += count;
        }
    }

    private StorageRun RunAt(long hostOffset)
    {
        if (hostOffset < _runStart || hostOffset >= _run.End)
        {
            _run = file.RunAt(hostOffset);
            _runStart = hostOffset;
        }

        return _run;
    }
}
