using System.Runtime.ExceptionServices;

namespace Qcow2.Engine.Comparison;

/// <summary>What was found in one part of two disks.</summary>
/// <param name="maxRanges">Most ranges that are listed; at least one.</param>
internal sealed class PartResult(int maxRanges)
{
    /// <summary>Where the two differ, in whole blocks.</summary>
    internal RangeList Ranges { get; } = new(maxRanges);

    /// <summary>Offset of the first byte that differs.</summary>
    internal long? FirstDifference { get; set; }

    /// <summary>Offset of the first byte whose allocation differs.</summary>
    internal long? FirstAllocationDifference { get; set; }

    /// <summary>What went wrong; the part was not compared to its end.</summary>
    internal ExceptionDispatchInfo? Failure { get; set; }

    /// <summary>Whether any difference was found.</summary>
    internal bool IsDifferent => FirstDifference is not null || FirstAllocationDifference is not null;
}
