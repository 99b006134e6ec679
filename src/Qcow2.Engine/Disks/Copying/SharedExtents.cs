using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>
/// Finds what of a disk a destination can share with the file that it lies in, and shares it. The finding is for one thread at a time, the sharing for any.
/// </summary>
/// <param name="source">The disk.</param>
/// <param name="target">Where it is copied to.</param>
/// <param name="unit">What is shared in whole, in bytes of the disk, if the blocks of the host are smaller; a power of two.</param>
internal sealed class SharedExtents(VirtualDisk source, CopyTarget target, int unit)
{
    /// <summary>Fewer blocks are copied: the host would take as long for the sharing, and keep a file in many pieces.</summary>
    private const int LeastBlocks = 16;

    /// <summary>Blocks are looked up by one thread for all, which must not wait for long.</summary>
    private const long LongestLookUp = 1L << 30;

    /// <summary>What files have in common whatever the file system is, so that a copy in the host goes page by page.</summary>
    private const int PageSize = 4096;

    private readonly Dictionary<BlockStorage, SharedFile> _files = [];
    private long _bytes;
    private string? _refusal;
    private volatile bool _isNotShared;
    private volatile bool _isRefused;

    /// <summary>Bytes that were shared.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Why something was not shared that could have been, as the end of a sentence; null if nothing was refused.</summary>
    internal string? Refusal => _refusal;

    /// <summary>Finds what can be shared of an extent.</summary>
    /// <param name="extent">What lies somewhere on the disk.</param>
    internal IEnumerable<SharedExtent> Of(DiskExtent extent)
        => extent is { Kind: ExtentKind.Data, IsCompressed: false, HostOffset: not null } ? Within(extent.Offset, extent.Length) : [];

    /// <summary>Finds what can be shared of a stretch of the disk, which is known to be data: in order, and in whole units.</summary>
    /// <remarks>Holes of the file are none of it: copying finds zeros in them, for which the destination needs no place.</remarks>
    /// <param name="offset">Where it starts, in bytes.</param>
    /// <param name="length">Bytes.</param>
    internal IEnumerable<SharedExtent> Within(long offset, long length)
    {
        long stretchEnd = offset + length;
        while (offset < stretchEnd && !_isRefused)
        {
            if (FindRun(offset, stretchEnd - offset) is not HostRun run)
            {
                yield break;
            }

            SharedFile file = FileOf(run.File);
            long inFile = file.Unit == 0 ? 0 : Math.Min(run.Length, run.File.Length - run.Offset);
            if (inFile > 0)
            {
                foreach (DiskExtent part in file.Extents.Of(run.Offset, offset, inFile, depth: 0))
                {
                    long start = (part.Offset + file.Unit - 1) & -file.Unit;
                    long end = part.End & -file.Unit;
                    long host = run.Offset + start - offset;
                    if (part.Kind == ExtentKind.Data && end - start >= LeastBlocks * file.BlockSize && (host & (file.BlockSize - 1)) == 0)
                    {
                        yield return new SharedExtent(start, run.Slice(start - offset, end - start));
                    }
                }
            }

            offset += run.Length;
        }
    }

    /// <summary>Shares a run, or has the host copy it where the destination wants that, unless both were refused before.</summary>
    /// <param name="destination">The file that gets it.</param>
    /// <param name="offset">Where.</param>
    /// <param name="run">The run.</param>
    /// <returns>False if it must be copied.</returns>
    internal bool TryShare(BlockStorage destination, long offset, HostRun run)
    {
        if (_isRefused)
        {
            return false;
        }

        // Whatever it was that was refused, the next would most probably meet the same.
        if (!_isNotShared)
        {
            if (destination.TryShare(run.File, run.Offset, offset, run.Length, out string? refusal))
            {
                Interlocked.Add(ref _bytes, run.Length);
                return true;
            }

            _refusal = refusal;
            _isNotShared = true;
        }

        _isRefused = !target.CopiesInHost || !destination.TryCopy(run.File, run.Offset, offset, run.Length);
        return !_isRefused;
    }

    /// <summary>Formats find a block at a time, and the blocks of a disk often lie in one run.</summary>
    private HostRun? FindRun(long offset, long length)
    {
        HostRun? first = source.FindHostRun(offset, length);
        if (first is not HostRun run)
        {
            return null;
        }

        while (run.Length < Math.Min(length, LongestLookUp) && source.FindHostRun(offset + run.Length, length - run.Length) is HostRun next
            && ReferenceEquals(next.File, run.File) && next.Offset == run.Offset + run.Length)
        {
            run = run with { Length = run.Length + next.Length };
        }

        return run;
    }

    private SharedFile FileOf(BlockStorage file)
    {
        if (!_files.TryGetValue(file, out SharedFile? known))
        {
            int blockSize = target.ShareUnit(file, out string? refusal);
            _refusal ??= refusal;
            if (blockSize == 0 && target.CopiesInHost && file.HostFile is not null)
            {
                blockSize = PageSize;
                _isNotShared = true;
            }

            known = new SharedFile(blockSize, blockSize == 0 ? 0 : Math.Max(blockSize, unit), new FileExtents(file));
            _files.Add(file, known);
        }

        return known;
    }

    private sealed record SharedFile(long BlockSize, long Unit, FileExtents Extents);
}

/// <summary>A stretch of a disk that can be shared.</summary>
/// <param name="Offset">Where it begins on the disk, in bytes.</param>
/// <param name="Run">Where it lies.</param>
internal readonly record struct SharedExtent(long Offset, HostRun Run)
{
    /// <summary>First byte of the disk after it.</summary>
    internal long End => Offset + Run.Length;
}
