using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>What Measure-Object has found so far.</summary>
internal sealed class Measurement
{
    internal int Count { get; set; }

    internal double? Average { get; set; }

    internal double? Sum { get; set; }

    internal object? Maximum { get; set; }

    internal object? Minimum { get; set; }

    internal string? Property { get; init; }

    /// <summary>As pwsh shows it.</summary>
    internal PSObject ToObject() => EngineViews.Describe(
        "Microsoft.PowerShell.Commands.GenericMeasureInfo",
        (nameof(Count), Count),
        (nameof(Average), Average),
        (nameof(Sum), Sum),
        (nameof(Maximum), Maximum),
        (nameof(Minimum), Minimum),
        ("StandardDeviation", null),
        (nameof(Property), Property));
}
