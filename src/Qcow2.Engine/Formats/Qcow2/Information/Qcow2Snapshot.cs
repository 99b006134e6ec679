using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <summary>An internal snapshot of an image. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2Snapshot : Qcow2ImageObject
{
    /// <summary>Full path of the image that holds the snapshot.</summary>
    public override string Path { get; set; } = "";

    /// <summary>The unique id.</summary>
    public string Id { get; set; } = "";

    /// <summary>The name, which need not be unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>When it was taken, in local time.</summary>
    public DateTime CreationTime { get; set; }

    /// <summary>Size of the virtual disk at that time, in bytes.</summary>
    public long DiskSize { get; set; }

    /// <summary>Size of the saved state of the virtual machine, in bytes; 0 where only the disk was saved.</summary>
    public long VmStateSize { get; set; }

    /// <summary>How long the guest had been running.</summary>
    public TimeSpan VmClock { get; set; }

    /// <summary>Record/replay instruction count; null where none was recorded.</summary>
    public ulong? InstructionCount { get; set; }

    /// <summary>
    /// What is wrong with the snapshot, so that it can be removed, but neither read nor restored; null if nothing is. Looked for
    /// in its entry in the snapshot table, not in its data: that is what <c>Test-Qcow2Image</c> does.
    /// </summary>
    public string? Problem { get; set; }

    /// <inheritdoc/>
    public override SnapshotSelector? SelectSnapshot() => SnapshotSelector.Of(this);

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal static Qcow2Snapshot From(SnapshotTableEntry entry, Qcow2Header header, string path)
    {
        const int NanosecondsPerTick = 100;
        DateTime taken = DateTimeOffset.FromUnixTimeSeconds(entry.DateSeconds).UtcDateTime.AddTicks(entry.DateNanoseconds / NanosecondsPerTick);
        return new Qcow2Snapshot
        {
            Path = path,
            Id = entry.Id,
            Name = entry.Name,
            CreationTime = taken.ToLocalTime(),
            DiskSize = Clamp(entry.DiskSize ?? (ulong)header.Size),
            VmStateSize = Clamp(entry.VmStateSize),
            VmClock = TimeSpan.FromTicks((long)(entry.VmClockNanoseconds / NanosecondsPerTick)),
            InstructionCount = entry.InstructionCount,
            Problem = entry.Problem,
        };
    }

    private static long Clamp(ulong value) => (long)Math.Min(value, long.MaxValue);
}
