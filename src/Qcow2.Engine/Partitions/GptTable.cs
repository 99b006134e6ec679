using System.Buffers.Binary;

namespace Qcow2.Engine.Partitions;

/// <summary>The partitions that the entries of a GPT are (UEFI 2.10, section 5.3.3, table 5.6).</summary>
internal static class GptTable
{
    private const ulong IsRequired = 1UL << 0;
    private const ulong IsLegacyBootable = 1UL << 2;
    private const ulong IsReadOnly = 1UL << 60;
    private const ulong IsShadowCopy = 1UL << 61;
    private const ulong IsHidden = 1UL << 62;
    private const ulong NoDriveLetter = 1UL << 63;

    /// <summary>The partitions, in the order of their numbers.</summary>
    /// <param name="header">A header with its entries.</param>
    /// <param name="problems">Takes what is wrong.</param>
    internal static List<Qcow2Partition> Read(GptHeader header, List<string> problems)
    {
        var partitions = new List<Qcow2Partition>();
        ReadOnlySpan<byte> entries = header.Entries;
        for (int number = 1; !entries.IsEmpty; number++)
        {
            ReadOnlySpan<byte> entry = entries.Slice(0, (int)header.EntrySize);
            entries = entries.Slice((int)header.EntrySize);
            var type = new Guid(entry.Slice(0, 16).ToArray());
            if (type == Guid.Empty)
            {
                continue;
            }

            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry.Slice(32));
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry.Slice(40));
            if (last < first || last == ulong.MaxValue || SuperblockText.Product(last + 1, (ulong)header.SectorSize) is not long end)
            {
                problems.Add($"Partition {number} cannot be: it is said to reach from sector {first} to {last}.");
                continue;
            }

            ulong attributes = BinaryPrimitives.ReadUInt64LittleEndian(entry.Slice(48));
            long offset = (long)first * header.SectorSize;
            var partition = new Qcow2Partition
            {
                PartitionStyle = PartitionStyle.Gpt,
                PartitionNumber = number,
                Offset = offset,
                Size = end - offset,
                Type = GptTypes.NameOf(type),
                GptType = SuperblockText.Braced(type),
                Guid = SuperblockText.Braced(new Guid(entry.Slice(16, 16).ToArray())),
                Label = SuperblockText.Utf16(entry.Slice(56, 72)),
                GptAttributes = attributes,
                IsActive = (attributes & IsLegacyBootable) != 0,
                IsRequired = (attributes & IsRequired) != 0,
                IsHidden = (attributes & IsHidden) != 0,
                IsReadOnly = (attributes & IsReadOnly) != 0,
                IsShadowCopy = (attributes & IsShadowCopy) != 0,
                NoDefaultDriveLetter = (attributes & NoDriveLetter) != 0,
            };
            if (first < header.FirstUsableLba || last > header.LastUsableLba)
            {
                partition.Problems = ["It lies outside of what the table itself says is to be used."];
            }

            partitions.Add(partition);
        }

        return partitions;
    }
}
