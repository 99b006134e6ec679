namespace Qcow2.Engine.Partitions;

/// <summary>The partition table of a disk, of either kind, without a look at what lies in the partitions.</summary>
internal sealed class PartitionTable
{
    private const int SmallSector = 512;
    private const int LargeSector = 4096;

    internal PartitionStyle Style { get; private set; }

    internal int SectorSize { get; private set; }

    internal string? Id { get; private set; }

    internal IReadOnlyList<Qcow2Partition> Partitions { get; private set; } = [];

    /// <summary>What is wrong with the table, a sentence each.</summary>
    internal List<string> Problems { get; } = [];

    /// <summary>Where the backup of a GPT is said to end, in bytes: the end of the disk that it was made for. Null without one.</summary>
    internal long? BackupEnd { get; private set; }

    /// <summary>Reads the table.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="sectorSize">Bytes of a sector, where somebody says that; null to find out.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static PartitionTable Read(VirtualDisk disk, int? sectorSize, CancellationToken cancellationToken)
    {
        // A GPT's place says how large sectors are. An MBR says nothing, so what the disk is declared to have comes first.
        int declared = disk.LogicalSectorSize ?? SmallSector;
        int[] sizes = sectorSize is int size ? [size] : declared == LargeSector ? [LargeSector, SmallSector] : [SmallSector, LargeSector];
        var table = new PartitionTable { SectorSize = sizes[0] };
        var mbr = MbrTable.Read(disk);
        if (!table.ReadGpt(disk, mbr, sizes) && mbr is not null)
        {
            table.ReadMbr(disk, mbr, sizes, cancellationToken);
        }

        if (table.Style != PartitionStyle.Raw && disk.LogicalSectorSize is int said && said != table.SectorSize)
        {
            table.Problems.Add($"The partition table counts in sectors of {table.SectorSize} bytes, and the disk has sectors of {said}: a guest finds no partition.");
        }

        table.LookAtPlaces(disk.Length);
        return table;
    }

    private bool ReadGpt(VirtualDisk disk, MbrTable? mbr, int[] sizes)
    {
        string? fault = null;
        GptHeader? damaged = null;
        foreach (int size in sizes)
        {
            GptHeader? primary = GptHeader.Read(disk, 1, size, out string? why);
            if (primary is { Entries: not null })
            {
                return TakePrimary(disk, mbr, primary);
            }

            fault ??= why;
            damaged ??= primary;
        }

        // The backup lies where the primary header says, or at the end of the disk, or at the end that the disk had.
        if (mbr is not { IsProtective: true })
        {
            return false;
        }

        foreach (int size in sizes)
        {
            ulong last = (ulong)(disk.Length / size) - 1;
            ulong?[] places = [damaged?.SectorSize == size ? damaged.AlternateLba : null, last, mbr.ProtectedEnd];
            foreach (ulong place in places.OfType<ulong>().Where(place => place is > 1 and < long.MaxValue).Distinct())
            {
                if (GptHeader.Read(disk, place, size, out _) is { Entries: not null } backup)
                {
                    Take(backup, mbr);
                    BackupEnd = SuperblockText.Product(place + 1, (ulong)size);
                    Problems.Insert(0, $"The GPT at the beginning of the disk cannot be used ({fault ?? "there is none"}); this is its backup. sgdisk or gdisk writes it anew from that.");
                    return true;
                }
            }
        }

        Problems.Add($"A protective MBR says that there is a GPT, but neither it ({fault ?? "there is none"}) nor its backup can be used.");
        return false;
    }

    private bool TakePrimary(VirtualDisk disk, MbrTable? mbr, GptHeader primary)
    {
        if (mbr is { IsProtective: false, IsEmpty: false })
        {
            Problems.Add("Remains of a GPT are on the disk, which now has an MBR. Tools may take the one or the other: sgdisk -z or wipefs removes the GPT.");
            return false;
        }

        if (mbr is not { IsProtective: true })
        {
            // Formatting a whole disk may leave its second sector as it was.
            if (VolumeSignatures.Of(new VolumeBytes(disk, 0, disk.Length), out string? undecided) is not null || undecided is not null)
            {
                Problems.Add("Remains of a GPT are on the disk, which now holds a file system as a whole. wipefs removes them.");
                return false;
            }

            Problems.Add("The GPT has no protective MBR before it, so that Linux and Windows do not take it. gdisk writes one.");
        }

        Take(primary, mbr);
        LookAtBackup(disk, primary);
        return true;
    }

    private void Take(GptHeader header, MbrTable? mbr)
    {
        Style = PartitionStyle.Gpt;
        SectorSize = header.SectorSize;
        Id = header.DiskId.ToString("D", System.Globalization.CultureInfo.InvariantCulture);
        Partitions = GptTable.Read(header, Problems);
        if (mbr is { IsProtective: true, HasOthers: true })
        {
            Problems.Add("The MBR before the GPT is a hybrid one: it lists partitions, too, and which table counts depends on who looks.");
        }
    }

    private void LookAtBackup(VirtualDisk disk, GptHeader primary)
    {
        ulong last = (ulong)(disk.Length / primary.SectorSize) - 1;
        ulong place = primary.AlternateLba;
        BackupEnd = place < long.MaxValue ? SuperblockText.Product(place + 1, (ulong)primary.SectorSize) : null;
        if (place > last)
        {
            Problems.Add($"The disk ends before the place of the GPT's backup, sector {place}: it was cut off, or the table was made for a larger disk. Linux does not take such a table.");
        }
        else if (GptHeader.Read(disk, place, primary.SectorSize, out string? fault) is not { Entries: byte[] entries } backup)
        {
            Problems.Add($"The backup of the GPT cannot be used ({fault ?? "there is none"}). sgdisk -e writes it anew.");
        }
        else if (!entries.AsSpan().SequenceEqual(primary.Entries) || backup.DiskId != primary.DiskId)
        {
            Problems.Add("The GPT and its backup say different things; the first is shown.");
        }
        else if (place < last)
        {
            Problems.Add(PartitionFit.BackupInside(BackupEnd ?? 0, disk.Length));
        }
    }

    private void ReadMbr(VirtualDisk disk, MbrTable mbr, int[] sizes, CancellationToken cancellationToken)
    {
        Id = mbr.Id;
        if (mbr.IsEmpty && VolumeSignatures.Of(new VolumeBytes(disk, 0, disk.Length), out _) is not null)
        {
            return; // A file system with a boot loader in its first sector.
        }

        Style = PartitionStyle.Mbr;
        List<string>? problems = null;
        foreach (int size in sizes.Where(size => size == sizes[0] || disk.Length % size == 0))
        {
            var found = new List<string>();
            List<Qcow2Partition> partitions = mbr.ReadPartitions(disk, size, found, cancellationToken);
            bool isFirst = problems is null;
            bool isKnown = partitions.Exists(one => HasSignature(disk, one));
            if (isFirst || isKnown)
            {
                problems = found;
                Partitions = partitions;
                SectorSize = size;
            }

            if (isKnown || partitions.Count == 0)
            {
                break;
            }
        }

        Problems.AddRange(problems!);
    }

    private static bool HasSignature(VirtualDisk disk, Qcow2Partition partition)
        => !partition.IsContainer && VolumeSignatures.Of(new VolumeBytes(disk, partition.Offset, partition.Size), out _) is not null;

    /// <summary>Notes which partitions pass the end of the disk, and which lie in each other's place.</summary>
    private void LookAtPlaces(long length)
    {
        Qcow2Partition? before = null;
        foreach (Qcow2Partition partition in Partitions.Where(one => !one.IsContainer).OrderBy(one => one.Offset).ThenBy(one => one.PartitionNumber))
        {
            if (partition.Offset >= length)
            {
                partition.Problems = [.. partition.Problems, "It lies past the end of the disk."];
            }
            else if (partition.End > length)
            {
                partition.Problems = [.. partition.Problems, $"It ends {partition.End - length} bytes past the end of the disk."];
            }

            if (before is not null && partition.Offset < before.End)
            {
                partition.Problems = [.. partition.Problems, $"It lies in the place of partition {before.PartitionNumber}."];
            }

            before = before is null || partition.End > before.End ? partition : before;
        }
    }
}
