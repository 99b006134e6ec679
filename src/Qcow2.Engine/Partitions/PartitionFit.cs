namespace Qcow2.Engine.Partitions;

/// <summary>What a partition table says when its disk gets another size, or sectors of another size.</summary>
internal static class PartitionFit
{
    /// <summary>Sectors that the 32 bits of an MBR reach.</summary>
    private const long MbrSectors = 1L << 32;

    /// <summary>How sentences end that say that a backup belongs elsewhere.</summary>
    private const string Repair = "by sgdisk -e in a Linux guest, by Update-Disk or diskpart's rescan in Windows.";

    /// <summary>What will be wrong with another size of the disk, a sentence each.</summary>
    /// <param name="table">The table.</param>
    /// <param name="length">The disk's size now, in bytes.</param>
    /// <param name="newLength">Its new size.</param>
    internal static IEnumerable<string> OfSize(PartitionTable table, long length, long newLength)
    {
        Qcow2Partition[] cut = [.. table.Partitions.Where(one => !one.IsContainer && one.End > newLength && one.Offset < length)];
        if (newLength < length && cut.Length > 0)
        {
            string which = cut.Length == 1 ? $"Partition {cut[0].PartitionNumber} ends" : $"Partitions {string.Join(", ", cut.Select(one => one.PartitionNumber))} end";
            yield return $"{which} past the new end of the disk, {newLength} bytes: what lies there is lost, and file systems in them are destroyed. Make them smaller in the guest first.";
        }

        if (table is { Style: PartitionStyle.Gpt, BackupEnd: long end } && newLength != length && end != newLength)
        {
            yield return newLength < end
                ? $"The backup of the GPT lies at the end of the disk and is cut off. It is written anew {Repair}"
                : BackupInside(end, newLength);
        }

        if (table.Style == PartitionStyle.Mbr && newLength > length && newLength > MbrSectors * table.SectorSize)
        {
            yield return $"The disk has an MBR, whose partitions cannot reach past {MbrSectors * table.SectorSize} bytes: what is added beyond that needs a GPT.";
        }
    }

    /// <summary>What will be wrong with sectors of another size; null for nothing.</summary>
    /// <param name="table">The table.</param>
    /// <param name="newSize">Bytes of a sector of the new disk.</param>
    internal static string? OfSectorSize(PartitionTable table, int newSize) => table.Style == PartitionStyle.Raw || table.SectorSize == newSize
        ? null
        : $"The partition table counts in sectors of {table.SectorSize} bytes, and the new disk has sectors of {newSize}: a guest will find no partition on it, and will not start.";

    /// <summary>Says that the backup of a GPT is not at the end.</summary>
    internal static string BackupInside(long end, long length)
        => $"The backup of the GPT ends at {end} and the disk at {length}: what lies between cannot be used for partitions until the backup is moved {Repair}";
}
