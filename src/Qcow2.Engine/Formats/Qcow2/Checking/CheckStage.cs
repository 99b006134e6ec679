using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>The parts of a check, in the order in which their findings are shown.</summary>
internal enum CheckStage
{
    Header,
    Snapshots,
    L1,
    L2,
    Bitmaps,
    RefcountStructure,
    Refcounts,
    Overlaps,
    Data,
}

/// <summary>Places of findings.</summary>
internal static class CheckStages
{
    /// <summary>A place in a part of the check.</summary>
    /// <param name="stage">The part.</param>
    /// <param name="major">Where it looked: a table.</param>
    /// <param name="minor">Where in that.</param>
    internal static FindingOrder At(this CheckStage stage, long major = 0, long minor = 0) => new((int)stage, major, minor);
}
