using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// Finds what of a disk lies in a file as it is, long enough that it pays to have the host send it from there. Only of disks that are not written, and of files
/// that are locked, so that they stay what they are until the client has taken them.
/// </summary>
internal sealed class NbdFileRuns
{
    /// <summary>Less is read and sent as fast.</summary>
    internal const int LeastBytes = 64 * 1024;

    /// <summary>What is zeros at a multiple of this is looked at as a whole: zeros are not sent, also those that are stored, or are holes of the file.</summary>
    private const int LookEvery = 64 * 1024;

    private const int LookBytes = 64;

    private readonly VirtualDisk _disk;

    private NbdFileRuns(VirtualDisk disk) => _disk = disk;

    /// <summary>For a disk that clients get.</summary>
    /// <returns>Null if it may be written.</returns>
    internal static NbdFileRuns? Of(NbdExport export) => export.IsWritable || export.Disk.CanWrite ? null : new NbdFileRuns(export.Disk);

    /// <summary>Finds what lies in a file from the start of a stretch on.</summary>
    /// <param name="offset">Where on the disk, in bytes.</param>
    /// <param name="length">Bytes that are wanted.</param>
    /// <returns>Null if the start has to be read.</returns>
    internal NbdFileRun? Find(long offset, int length)
    {
        if (length < LeastBytes || _disk.FindHostRun(offset, length) is not HostRun run || run.File.HostFile is not LocalFile { IsKeptFromWriters: true } file)
        {
            return null;
        }

        // What the file does not have is for those to judge who read the disk.
        long end = Math.Min(run.Length, file.Length - run.Offset);
        long seen = 0;
        Span<byte> look = stackalloc byte[LookBytes];
        while (seen < end)
        {
            Span<byte> part = look.Slice(0, (int)Math.Min(LookBytes, end - seen));
            if (file.Read(run.Offset + seen, part) < part.Length || SpanSearch.IsAllZero(part))
            {
                break;
            }

            seen = Math.Min(end, seen + LookEvery);
        }

        return seen < LeastBytes ? null : new NbdFileRun(file, run.Offset, (int)seen);
    }
}

/// <summary>What lies in a file.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where, in bytes.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct NbdFileRun(LocalFile File, long Offset, int Length);
