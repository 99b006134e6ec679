namespace Qcow2.Engine;

/// <summary>How to compare two disks.</summary>
public sealed record DiskCompareOptions
{
    /// <summary>The defaults: content only, all of it, the first 1,000 ranges.</summary>
    public static DiskCompareOptions Default { get; } = new();

    /// <summary>
    /// Threads that read and compare, 1 or more; the number of processors, but at most eight, by default. The result does not depend on it.
    /// </summary>
    public int ThrottleLimit { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>
    /// Also count as a difference what <c>qemu-img compare -s</c> does: another size, and another status of the same bytes, such as zeros that
    /// are written out in one and left out in the other.
    /// </summary>
    public bool IsStrict { get; init; }

    /// <summary>
    /// End at the first difference, which is what <c>qemu-img compare</c> does. It is the first on the disk also when several threads are at
    /// work. With <see cref="IsStrict"/>, another size ends the comparison before anything is read.
    /// </summary>
    public bool StopAtFirst { get; init; }

    /// <summary>Most ranges that are listed, 0 or more. What differs beyond them is counted only. 1,000 by default.</summary>
    public int MaxRanges { get; init; } = 1_000;
}
