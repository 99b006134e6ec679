using System.Buffers.Binary;
using System.Globalization;
using Qcow2.Engine.Partitions.FileSystems;

namespace Qcow2.Engine.Partitions;

/// <summary>
/// A master boot record (UEFI 2.10, section 5.2.1, table 5.1), and the chain of records in its extended partition, each of which has a logical partition and
/// the way to the next.
/// </summary>
internal sealed class MbrTable
{
    private const int EntriesOffset = 446;
    private const int EntrySize = 16;
    private const int Slots = 4;
    private const int FirstLogical = 5;

    /// <summary>Linux stops long before.</summary>
    private const int MostLogical = 1000;

    private readonly byte[] _sector;

    private MbrTable(byte[] sector) => _sector = sector;

    /// <summary>The disk's signature, as <c>blkid</c> writes it; null for none.</summary>
    internal string? Id => BinaryPrimitives.ReadUInt32LittleEndian(_sector.AsSpan(440)) is var id and not 0 ? id.ToString("x8", CultureInfo.InvariantCulture) : null;

    /// <summary>Whether it stands before a GPT, alone or beside partitions of its own.</summary>
    internal bool IsProtective => Entries(_sector).Any(entry => entry.Type == MbrTypes.GptProtective);

    /// <summary>Whether it has partitions of its own beside what protects a GPT.</summary>
    internal bool HasOthers => Entries(_sector).Any(entry => entry.Type is not (0 or MbrTypes.GptProtective) && entry.Count != 0);

    /// <summary>Whether it has no partition at all, as a boot sector of other kinds may look.</summary>
    internal bool IsEmpty => Entries(_sector).All(entry => entry.Count == 0);

    /// <summary>The last sector that the protective entry covers: the end of the disk when the table was written. Null where it says only that there are many.</summary>
    internal ulong? ProtectedEnd => Entries(_sector).Where(entry => entry.Type == MbrTypes.GptProtective && entry.Count is not (0 or uint.MaxValue))
        .Select(entry => (ulong?)((ulong)entry.First + entry.Count - 1)).FirstOrDefault();

    /// <summary>Reads the record; null where there is none: no mark, or the boot sector of a file system.</summary>
    internal static MbrTable? Read(VirtualDisk disk)
    {
        byte[] sector = new byte[512];
        if (disk.Read(0, sector) != sector.Length || sector[510] != 0x55 || sector[511] != 0xaa)
        {
            return null;
        }

        ReadOnlySpan<byte> name = sector.AsSpan(3, 8);
        bool isVolume = name.SequenceEqual("NTFS    "u8) || name.SequenceEqual("EXFAT   "u8) || name.StartsWith("ReFS\0"u8) || Fat.IsBootSector(sector) || BitLocker.IsBootSector(sector);
        return isVolume || Entries(sector).Any(entry => entry.Status is not (0 or 0x80)) ? null : new MbrTable(sector);
    }

    /// <summary>The partitions, in the order of their numbers.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="sectorSize">Bytes of a sector.</param>
    /// <param name="problems">Takes what is wrong.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal List<Qcow2Partition> ReadPartitions(VirtualDisk disk, int sectorSize, List<string> problems, CancellationToken cancellationToken)
    {
        var partitions = new List<Qcow2Partition>();
        int slot = 0;
        foreach (Entry entry in Entries(_sector))
        {
            slot++;
            if (entry.Count != 0)
            {
                partitions.Add(Partition(slot, 0, entry, sectorSize));
            }
        }

        int number = FirstLogical;
        foreach (Qcow2Partition extended in partitions.Where(one => MbrTypes.IsExtended((byte)one.MbrType!)).ToArray())
        {
            ReadLogical(disk, extended, sectorSize, partitions, ref number, problems, cancellationToken);
        }

        return partitions;
    }

    private static void ReadLogical(
        VirtualDisk disk, Qcow2Partition extended, int sectorSize, List<Qcow2Partition> partitions, ref int number, List<string> problems, CancellationToken cancellationToken)
    {
        var bytes = new VolumeBytes(disk, 0, disk.Length);
        var seen = new HashSet<long>();
        long? next = extended.Offset;
        while (next is long offset)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!seen.Add(offset))
            {
                problems.Add($"The chain of logical partitions runs in a circle: it comes back to {offset}.");
                return;
            }

            if (seen.Count > MostLogical)
            {
                problems.Add($"There are more than {MostLogical} logical partitions; the rest is left out.");
                return;
            }

            ReadOnlySpan<byte> sector = bytes.At(offset, 512);
            if (sector.IsEmpty || sector[510] != 0x55 || sector[511] != 0xaa)
            {
                // An extended partition that nothing was ever put in has no record.
                if (seen.Count > 1)
                {
                    problems.Add($"The chain of logical partitions breaks off: there is no record at {offset}.{(bytes.Damage is null ? "" : " " + bytes.Damage)}");
                }

                return;
            }

            next = null;
            int slot = 0;
            foreach (Entry entry in Entries(sector))
            {
                slot++;
                if (entry.Count == 0)
                {
                    continue;
                }

                if (MbrTypes.IsExtended(entry.Type))
                {
                    next ??= extended.Offset + ((long)entry.First * sectorSize);
                    continue;
                }

                Qcow2Partition logical = Partition(number, offset, entry, sectorSize);
                bool isInside = logical.Offset >= extended.Offset && logical.Offset + logical.Size <= extended.Offset + extended.Size;
                if (slot > 2 && !isInside)
                {
                    continue; // The last two slots are unused, and DOS left garbage in them.
                }

                if (!isInside)
                {
                    logical.Problems = ["It lies outside of its extended partition."];
                }

                partitions.Add(logical);
                number++;
            }
        }
    }

    private static Qcow2Partition Partition(int number, long from, Entry entry, int sectorSize) => new()
    {
        PartitionStyle = PartitionStyle.Mbr,
        PartitionNumber = number,
        Offset = from + ((long)entry.First * sectorSize),
        Size = (long)entry.Count * sectorSize,
        Type = MbrTypes.NameOf(entry.Type),
        MbrType = entry.Type,
        IsActive = entry.Status == 0x80,
        IsHidden = MbrTypes.IsHidden(entry.Type),
    };

    private static Entry[] Entries(ReadOnlySpan<byte> sector)
    {
        var entries = new Entry[Slots];
        for (int i = 0; i < Slots; i++)
        {
            ReadOnlySpan<byte> entry = sector.Slice(EntriesOffset + (i * EntrySize), EntrySize);
            entries[i] = new Entry(entry[0], entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(8)), BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(12)));
        }

        return entries;
    }

    private readonly record struct Entry(byte Status, byte Type, uint First, uint Count);
}
