using Qcow2.Engine.Partitions;
using Qcow2.Engine.Partitions.FileSystems;

namespace Qcow2.Engine;

/// <summary>
/// What a disk is divided into, and what lies in each part: partition tables (UEFI 2.10, chapter 5) and the marks of file systems, encryption, LVM and arrays, decided as
/// <c>blkid -p</c> decides. All of it is the guest's word, and any bytes whatever are read without an error.
/// </summary>
/// <remarks>Some KiB are read of each partition, at most 16,384 of which a table can have.</remarks>
public sealed class DiskPartitions
{
    private DiskPartitions(PartitionTable table, IReadOnlyList<Qcow2Partition> partitions)
    {
        Style = table.Style;
        SectorSize = table.SectorSize;
        Id = table.Id;
        Problems = table.Problems;
        Partitions = partitions;
    }

    /// <summary>The kind of partition table.</summary>
    public PartitionStyle Style { get; }

    /// <summary>Bytes of a sector, in which the table counts: 512 or 4096.</summary>
    public int SectorSize { get; }

    /// <summary>The table's id: a GUID, or the eight digits of an MBR's signature. Null for none.</summary>
    public string? Id { get; }

    /// <summary>
    /// The partitions, in the order of their numbers. Before them, without a number, stands what takes the whole disk: a file system on a disk without a table, or one that
    /// shares the disk with a table, as a CD does that starts from USB sticks, too.
    /// </summary>
    public IReadOnlyList<Qcow2Partition> Partitions { get; }

    /// <summary>What is wrong with the table, a sentence each.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>Reads what a disk is divided into.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="sectorSize">Bytes of a sector: 512 or 4096. Null for what the disk declares or what the table shows.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The image is damaged where the table lies, or needs a passphrase. A damaged partition has a problem.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public static DiskPartitions Read(VirtualDisk disk, int? sectorSize = null, CancellationToken cancellationToken = default)
    {
        if (sectorSize is not (null or 512 or 4096))
        {
            throw new ArgumentOutOfRangeException(nameof(sectorSize), sectorSize, "Sectors have 512 or 4096 bytes.");
        }

        var table = PartitionTable.Read(disk, sectorSize, cancellationToken);
        var partitions = new List<Qcow2Partition>(table.Partitions);
        if (WholeDisk(disk, table) is Qcow2Partition whole)
        {
            partitions.Insert(0, whole);
        }

        foreach (Qcow2Partition partition in partitions)
        {
            cancellationToken.ThrowIfCancellationRequested();
            partition.Path = disk.Path;
            partition.SectorSize = table.SectorSize;
            partition.PartitionTableId = table.Id;
            if (partition.PartitionNumber is not null && !partition.IsContainer)
            {
                Describe(disk, partition);
            }
        }

        return new DiskPartitions(table, partitions);
    }

    /// <summary>What will be wrong with the partition table when the disk gets another size or is copied to one with other sectors, a sentence each.</summary>
    /// <param name="disk">The disk as it is.</param>
    /// <param name="newLength">The new size, in bytes.</param>
    /// <param name="newSectorSize">Bytes of a sector of the new disk; null where that does not change.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="Qcow2Exception">The image is damaged where the table lies, or needs a passphrase.</exception>
    /// <exception cref="IOException">The host could not read.</exception>
    public static IReadOnlyList<string> ProblemsOf(VirtualDisk disk, long newLength, int? newSectorSize = null, CancellationToken cancellationToken = default)
    {
        var table = PartitionTable.Read(disk, null, cancellationToken);
        string? sectors = newSectorSize is int size ? PartitionFit.OfSectorSize(table, size) : null;
        return [.. PartitionFit.OfSize(table, disk.Length, newLength), .. sectors is null ? Array.Empty<string>() : [sectors]];
    }

    /// <summary>What takes the whole disk, with a table beside it or without.</summary>
    private static Qcow2Partition? WholeDisk(VirtualDisk disk, PartitionTable table)
    {
        var whole = new Qcow2Partition { PartitionStyle = table.Style, Size = disk.Length };
        var bytes = new VolumeBytes(disk, 0, disk.Length);
        if (table.Style == PartitionStyle.Raw)
        {
            Describe(disk, whole);
            return whole.FileSystem is null && whole.Problems.Length == 0 ? null : whole;
        }

        // What lies at the end of the last partition may lie at the end of the disk, too: then it is the partition's.
        VolumeSignature? raid = LinuxRaid.Probe(bytes);
        if (raid is not null && table.Partitions.Any(one => one.Offset <= raid.MarkOffset && one.End > raid.MarkOffset))
        {
            raid = null;
        }

        VolumeSignature? shared = raid ?? Udf.Probe(bytes) ?? Iso9660.Probe(bytes);
        if (shared is null)
        {
            return null;
        }

        Fill(whole, shared);
        return whole;
    }

    private static void Describe(VirtualDisk disk, Qcow2Partition partition)
    {
        var bytes = new VolumeBytes(disk, partition.Offset, partition.Size);
        VolumeSignature? signature = VolumeSignatures.Of(bytes, out string? problem);
        if (signature is not null)
        {
            Fill(partition, signature);
        }

        partition.Problems = [.. partition.Problems, .. new[] { problem, bytes.Damage }.OfType<string>()];
    }

    private static void Fill(Qcow2Partition partition, VolumeSignature signature)
    {
        partition.FileSystem = signature.Type;
        partition.FileSystemVersion = signature.Version;
        partition.FileSystemLabel = signature.Label;
        partition.FileSystemUuid = signature.Uuid;
        partition.FileSystemSize = signature.Size;
        partition.AllocationUnitSize = signature.BlockSize;
        if (signature.Size > partition.Size)
        {
            partition.Problems = [.. partition.Problems, $"The file system has {signature.Size} bytes, more than its partition."];
        }
    }
}
