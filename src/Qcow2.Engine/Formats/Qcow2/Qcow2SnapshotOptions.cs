using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <summary>What is recorded of a new snapshot beside its name (spec: "Snapshots").</summary>
public sealed record Qcow2SnapshotOptions
{
    /// <summary>When the snapshot is taken; null for now. The format keeps whole nanoseconds from 1970 to 2106.</summary>
    public DateTimeOffset? CreationTime { get; init; }

    /// <summary>How long the guest has been running, in nanoseconds.</summary>
    public ulong VmClockNanoseconds { get; init; }

    /// <summary>Record/replay instruction count; null where recording is off.</summary>
    public ulong? InstructionCount { get; init; }

    internal SnapshotTableEntry ToEntry(string id, string name, long diskSize)
    {
        long ticks = (CreationTime ?? DateTimeOffset.UtcNow).UtcTicks - new DateTimeOffset(1970, 1, 1, 0, 0, 0, TimeSpan.Zero).Ticks;
        long seconds = ticks / TimeSpan.TicksPerSecond;
        if (ticks < 0 || seconds > uint.MaxValue)
        {
            throw new ArgumentException($"A snapshot's time lies between 1970 and 2106, not at {CreationTime:u}.");
        }

        return SnapshotTableEntry.Create(id, name, diskSize, InstructionCount) with
        {
            DateSeconds = (uint)seconds,
            DateNanoseconds = (uint)(ticks % TimeSpan.TicksPerSecond * 100),
            VmClockNanoseconds = VmClockNanoseconds,
        };
    }
}
