namespace Qcow2.Engine.Storage;

/// <summary>
/// Says which parts of a file are holes, so that a small file that claims to be huge is not read as if it were. Asks the host only
/// about files with large holes. Each thread has its own.
/// </summary>
internal sealed class HoleFinder(BlockStorage file, bool isSparse)
{
    private long _holeStart;
    private long _holeEnd;
    private long _dataStart;
    private long _dataEnd;

    /// <summary>Whether a file has holes worth asking about.</summary>
    internal static bool IsSparse(BlockStorage file) => file.AllocatedLength < file.Length / 2;

    /// <summary>Whether a range reads as zeros because it lies in a hole.</summary>
    internal bool IsHole(long offset, long length)
    {
        if (!isSparse || (offset >= _dataStart && offset < _dataEnd))
        {
            return false;
        }

        if (offset < _holeStart || offset >= _holeEnd)
        {
            StorageRun run = file.RunAt(offset);
            if (run.IsData)
            {
                (_dataStart, _dataEnd) = (offset, run.End);
                return false;
            }

            (_holeStart, _holeEnd) = (offset, run.End >= file.Length ? long.MaxValue : run.End);
        }

        return length <= _holeEnd - offset;
    }
}
