using System.Globalization;

namespace Qcow2.Engine.Formats.Qcow2.Compaction;

/// <summary>
/// What a compacted file is beside the one that it would replace. Two measures count: what the file takes on this disk, and its length,
/// which is what it takes where it is sent or copied without holes.
/// </summary>
/// <param name="AllocatedBefore">Bytes that the old file takes on its disk.</param>
/// <param name="Allocated">Bytes that the new one takes.</param>
/// <param name="LengthBefore">Length of the old file, in bytes.</param>
/// <param name="Length">Length of the new one.</param>
/// <param name="ClusterSize">Bytes in a cluster: as much may come or go by where files end and what the host rounds.</param>
internal readonly record struct CompactionGain(long AllocatedBefore, long Allocated, long LengthBefore, long Length, int ClusterSize)
{
    private long AllocatedGain => AllocatedBefore - Allocated;

    private long LengthGain => LengthBefore - Length;

    /// <summary>Whether the new file is smaller by one measure and not materially larger by the other.</summary>
    internal bool IsWorthwhile => AllocatedGain > 0
        ? LengthGain >= -Tolerance(LengthBefore)
        : LengthGain > 0 && LengthGain > -AllocatedGain && AllocatedGain >= -Tolerance(AllocatedBefore);

    /// <summary>Why the old file is replaced or left, for people.</summary>
    internal string Reason
    {
        get
        {
            string measures = $"{Change(AllocatedGain, "takes", "on this disk")} and is {Change(LengthGain)}";
            return IsWorthwhile
                ? $"The compacted file {measures}."
                : $"The compacted file would not be worth it: it {measures}.";
        }
    }

    /// <summary>A hundredth is nothing to keep a file for, and neither is a cluster.</summary>
    private long Tolerance(long before) => Math.Max(ClusterSize, before / 100);

    private static string Change(long gain, string verb, string where) => gain switch
    {
        > 0 => $"{verb} {Number(gain)} bytes less {where}",
        < 0 => $"{verb} {Number(-gain)} bytes more {where}",
        _ => $"{verb} as much {where}",
    };

    private static string Change(long gain) => gain switch
    {
        > 0 => $"{Number(gain)} bytes shorter",
        < 0 => $"{Number(-gain)} bytes longer",
        _ => "as long",
    };

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
