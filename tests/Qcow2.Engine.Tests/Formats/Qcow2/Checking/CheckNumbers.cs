using System.Text.Json;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>The numbers of a check, as qemu-img prints them and as we find them.</summary>
internal sealed record CheckNumbers
{
    public long Corruptions { get; init; }

    public long Leaks { get; init; }

    public long CheckErrors { get; init; }

    public long Allocated { get; init; }

    public long Compressed { get; init; }

    public long Fragmented { get; init; }

    public long Total { get; init; }

    public long End { get; init; }

    /// <summary>Reads what <c>qemu-img check --output=json</c> printed. What is 0 it leaves out.</summary>
    internal static CheckNumbers Of(JsonDocument json) => new()
    {
        Corruptions = Get(json, "corruptions"),
        Leaks = Get(json, "leaks"),
        CheckErrors = Get(json, "check-errors"),
        Allocated = Get(json, "allocated-clusters"),
        Compressed = Get(json, "compressed-clusters"),
        Fragmented = Get(json, "fragmented-clusters"),
        Total = Get(json, "total-clusters"),
        End = Get(json, "image-end-offset"),
    };

    internal static CheckNumbers Of(Qcow2CheckResult result) => new()
    {
        Corruptions = result.Corruptions,
        Leaks = result.Leaks,
        CheckErrors = result.CheckErrors,
        Allocated = result.AllocatedClusters,
        Compressed = result.CompressedClusters,
        Fragmented = result.FragmentedClusters,
        Total = result.TotalClusters,
        End = result.ImageEndOffset,
    };

    private static long Get(JsonDocument json, string name) => json.RootElement.TryGetProperty(name, out JsonElement value) ? value.GetInt64() : 0;
}
