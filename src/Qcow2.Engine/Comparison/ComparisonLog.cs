namespace Qcow2.Engine.Comparison;

/// <summary>
/// Puts together what several threads find, in the order of the disk, so that neither the result nor the error depends on who
/// was first.
/// </summary>
/// <param name="options">How the disks are compared.</param>
internal sealed class ComparisonLog(DiskCompareOptions options)
{
    private readonly Dictionary<int, PartResult> _early = [];
    private readonly PartResult _total = new(Math.Max(1, options.MaxRanges));
    private int _next;
    private int _last = int.MaxValue;
    private bool _isEnded;

    /// <summary>Whether the work ended at a difference.</summary>
    internal bool IsStopped => _isEnded && _total.Failure is null;

    /// <summary>Whether a part still matters: not, once a part before it has ended the work.</summary>
    internal bool IsWanted(int part) => part <= Volatile.Read(ref _last);

    /// <summary>Takes the result of a part; false if it ends the work after the parts before it.</summary>
    internal bool Add(int part, PartResult result)
    {
        bool isLast = EndsAt(result);
        lock (_early)
        {
            if (isLast)
            {
                _last = Math.Min(_last, part);
            }

            _early.Add(part, result);
            while (!_isEnded && _early.TryGetValue(_next, out PartResult? next))
            {
                _early.Remove(_next++);
                Take(next);
            }
        }

        return !isLast;
    }

    /// <summary>What was found in all; throws what went wrong.</summary>
    internal PartResult Complete()
    {
        _total.Failure?.Throw();
        return _total;
    }

    private bool EndsAt(PartResult result) => result.Failure is not null || (options.StopAtFirst && result.IsDifferent);

    private void Take(PartResult result)
    {
        _isEnded = EndsAt(result);
        _total.FirstDifference ??= result.FirstDifference;
        _total.FirstAllocationDifference ??= result.FirstAllocationDifference;
        _total.Ranges.Add(result.Ranges);
        _total.Failure = result.Failure;
    }
}
