namespace Qcow2.Engine.Disks.Checking;

/// <summary>What of a file is in use, in units of one size: a bit each. Of a file with more units than can be kept it says so, and finds no overlap.</summary>
internal sealed class BlockSpace
{
    private readonly FileCheck _check;
    private readonly long _unit;
    private readonly SpaceMap? _map;

    /// <param name="check">Told if the file is too large.</param>
    /// <param name="unit">Bytes of a unit.</param>
    internal BlockSpace(FileCheck check, long unit)
    {
        _check = check;
        _unit = unit;
        FileLength = check.File.Length;
        long units = (FileLength / unit) + (FileLength % unit != 0 ? 1 : 0);
        if (units <= SpaceMap.MaxUnits)
        {
            _map = new SpaceMap(units);
        }
        else
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FileTooLarge, 0, "File", $"The file has {units} units of {unit} bytes; what overlaps can be looked for in {SpaceMap.MaxUnits}.",
                (ulong)SpaceMap.MaxUnits, (ulong)units);
        }
    }

    /// <summary>Length of the file, which is asked once: the host takes longer to say it than an entry takes to be looked at.</summary>
    internal long FileLength { get; }

    /// <summary>Takes a stretch of the file.</summary>
    /// <returns>Whether nothing of it was taken before.</returns>
    internal bool TryTake(long offset, long length)
    {
        _check.EndOffset = Math.Max(_check.EndOffset, Math.Min(FileLength, offset + length));
        long first = offset / _unit;
        return _map?.TryTake(first, ((offset + length + _unit - 1) / _unit) - first) ?? true;
    }

    /// <summary>Says what nobody took, as far as it has the size of a block.</summary>
    /// <param name="block">Bytes of a block.</param>
    internal void ReportUnused(long block)
    {
        if (_map is null)
        {
            return;
        }

        foreach ((long first, long count) in _map.Free())
        {
            long length = Math.Min(FileLength - (first * _unit), count * _unit);
            if (length >= block)
            {
                _check.AddUnused(Qcow2CheckSeverity.Leak, first * _unit, length, block);
            }
        }
    }
}
