using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>What the disk is ([MS-VHDX] 2.2.5 and 2.6).</summary>
/// <param name="DiskSize">Size of the disk, in bytes.</param>
/// <param name="BlockSize">Unit of allocation, in bytes.</param>
/// <param name="IsFixed">Whether all blocks stay allocated.</param>
/// <param name="HasParent">Whether it holds differences from another disk.</param>
/// <param name="LogicalSectorSize">Bytes of a sector as the guest addresses it: 512 or 4096.</param>
/// <param name="PhysicalSectorSize">Bytes of a sector as the guest should write it: 512 or 4096.</param>
/// <param name="DiskId">The disk's id, which a differencing disk shares with its parent.</param>
/// <param name="ParentLocator">Where the parent is; null without one.</param>
internal sealed record VhdxMetadata(
    long DiskSize, int BlockSize, bool IsFixed, bool HasParent, int LogicalSectorSize, int PhysicalSectorSize, Guid DiskId, VhdxParentLocator? ParentLocator)
{
    private const ulong Signature = 0x6174_6164_6174_656d; // "metadata"
    private const int TableLength = 64 << 10;
    private const int EntryLength = 32;
    private const int MaxEntries = 2047;
    private const int MaxItemLength = VhdxLimits.MiB;

    private static readonly Guid FileParametersId = new("caa16737-fa36-4d43-b3b6-33f0aa44e76b");
    private static readonly Guid DiskSizeId = new("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
    private static readonly Guid DiskIdId = new("beca12ab-b2e6-4523-93ef-c309e000c746");
    private static readonly Guid LogicalSectorId = new("8141bf1d-a96f-4709-ba47-f233a8faab5f");
    private static readonly Guid PhysicalSectorId = new("cda348c7-445d-4471-9cc9-e9885251c556");
    private static readonly Guid ParentLocatorId = new("a8d35f2d-b30b-454d-abf7-d3d84834ab0c");
    private static readonly Guid IncompleteFileId = new("71cc85f0-1b69-4e28-9558-c3bf83ae75d3");

    [Flags]
    private enum ItemFlags : uint
    {
        User = 1,
        Disk = 2,
        Required = 4,
    }

    /// <summary>Reads the metadata.</summary>
    /// <exception cref="Qcow2Exception">Something is missing, not possible, or needs what is not known.</exception>
    internal static VhdxMetadata Load(BlockStorage storage, VhdxRegion region) => Load(ReadItems(storage, region, null), null);

    /// <summary>Reads the metadata as far as it can be used.</summary>
    /// <param name="storage">The file, with what its log holds.</param>
    /// <param name="region">Where the metadata lie.</param>
    /// <param name="faults">Told all that is wrong.</param>
    /// <returns>Null if something is missing or not possible without which there is no disk.</returns>
    internal static VhdxMetadata? TryLoad(BlockStorage storage, VhdxRegion region, ICollection<Qcow2Exception> faults)
    {
        try
        {
            return Load(ReadItems(storage, region, faults), faults);
        }
        catch (Qcow2Exception e)
        {
            faults.Add(e);
            return null;
        }
    }

    private static VhdxMetadata Load(Dictionary<Guid, byte[]> items, ICollection<Qcow2Exception>? faults)
    {
        if (items.ContainsKey(IncompleteFileId))
        {
            throw Qcow2Errors.Corrupt("The VHDX file says that it is not complete: whatever made it was interrupted.");
        }

        ReadOnlySpan<byte> parameters = Item(items, FileParametersId, "file parameters", 8);
        uint blockSize = BinaryPrimitives.ReadUInt32LittleEndian(parameters);
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(parameters.Slice(4));
        if (blockSize is < VhdxLimits.MinBlockSize or > VhdxLimits.MaxBlockSize || (blockSize & (blockSize - 1)) != 0)
        {
            throw Qcow2Errors.Corrupt($"The VHDX file has blocks of {blockSize} bytes; they have 1 to 256 MiB, in a power of two.");
        }

        int logical = SectorSize(items, LogicalSectorId, "logical sector size");
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(Item(items, DiskSizeId, "virtual disk size", 8));
        if (size > VhdxLimits.MaxDiskSize)
        {
            throw Qcow2Errors.Limit("The virtual disk size", size, VhdxLimits.MaxDiskSize, "bytes");
        }

        if (size == 0 || size % (uint)logical != 0)
        {
            throw Qcow2Errors.Corrupt($"The virtual disk size is {size} bytes, which is not a number of sectors of {logical} bytes.");
        }

        bool hasParent = (flags & 2) != 0;
        return new VhdxMetadata(
            (long)size, (int)blockSize, (flags & 1) != 0, hasParent, logical,
            SectorSize(items, PhysicalSectorId, "physical sector size"),
            LittleEndian.ReadGuid(Item(items, DiskIdId, "virtual disk id", 16)),
            hasParent ? Locator(items, faults) : null);
    }

    private static VhdxParentLocator? Locator(Dictionary<Guid, byte[]> items, ICollection<Qcow2Exception>? faults)
    {
        try
        {
            return VhdxParentLocator.Parse(Item(items, ParentLocatorId, "parent locator", VhdxParentLocator.MinLength));
        }
        catch (Qcow2Exception e) when (faults is not null)
        {
            faults.Add(e);
            return null;
        }
    }

    /// <summary>The bytes of metadata that say this of a disk without a parent: the table, and the items behind it in the order of Windows.</summary>
    internal byte[] ToBytes()
    {
        byte[] parameters = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(parameters, (uint)BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(parameters.AsSpan(4), IsFixed ? 1u : 0);
        byte[] size = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(size, (ulong)DiskSize);
        byte[] logical = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(logical, (uint)LogicalSectorSize);
        byte[] physical = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(physical, (uint)PhysicalSectorSize);
        byte[] id = new byte[16];
        LittleEndian.WriteGuid(id, DiskId);
        return Pack(
            (FileParametersId, parameters, ItemFlags.Required),
            (DiskSizeId, size, ItemFlags.Required | ItemFlags.Disk),
            (LogicalSectorId, logical, ItemFlags.Required | ItemFlags.Disk),
            (PhysicalSectorId, physical, ItemFlags.Required | ItemFlags.Disk),
            (DiskIdId, id, ItemFlags.Required | ItemFlags.Disk));
    }

    private static byte[] Pack(params (Guid Id, byte[] Bytes, ItemFlags Flags)[] items)
    {
        byte[] region = new byte[TableLength + items.Sum(item => item.Bytes.Length)];
        BinaryPrimitives.WriteUInt64LittleEndian(region, Signature);
        BinaryPrimitives.WriteUInt16LittleEndian(region.AsSpan(10), (ushort)items.Length);
        int entry = EntryLength;
        int offset = TableLength;
        foreach ((Guid id, byte[] bytes, ItemFlags flags) in items)
        {
            LittleEndian.WriteGuid(region.AsSpan(entry), id);
            BinaryPrimitives.WriteUInt32LittleEndian(region.AsSpan(entry + 16), (uint)offset);
            BinaryPrimitives.WriteUInt32LittleEndian(region.AsSpan(entry + 20), (uint)bytes.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(region.AsSpan(entry + 24), (uint)flags);
            bytes.CopyTo(region, offset);
            entry += EntryLength;
            offset += bytes.Length;
        }

        return region;
    }

    private static Dictionary<Guid, byte[]> ReadItems(BlockStorage storage, VhdxRegion region, ICollection<Qcow2Exception>? faults)
    {
        byte[] table = new byte[TableLength];
        storage.ReadZeroPadded(region.Offset, table);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(table.AsSpan(10));
        if (BinaryPrimitives.ReadUInt64LittleEndian(table) != Signature || count > MaxEntries)
        {
            throw Qcow2Errors.Corrupt($"There is no metadata table at 0x{region.Offset:x}.");
        }

        var items = new Dictionary<Guid, byte[]>();
        for (int i = 0; i < count; i++)
        {
            try
            {
                ReadItem(storage, region, table.AsSpan((i + 1) * EntryLength, EntryLength), items);
            }
            catch (Qcow2Exception e) when (faults is not null)
            {
                faults.Add(e);
            }
        }

        return items;
    }

    private static void ReadItem(BlockStorage storage, VhdxRegion region, ReadOnlySpan<byte> entry, Dictionary<Guid, byte[]> items)
    {
        Guid id = LittleEndian.ReadGuid(entry);
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(16));
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(20));
        var flags = (ItemFlags)BinaryPrimitives.ReadUInt32LittleEndian(entry.Slice(24));
        bool isRequired = (flags & ItemFlags.Required) != 0;
        if ((flags & ItemFlags.User) != 0)
        {
            if (isRequired)
            {
                throw Qcow2Errors.Unsupported($"The VHDX file needs a user's metadata ({id}), which nobody else knows.");
            }

            return;
        }

        if (!IsKnown(id))
        {
            if (isRequired)
            {
                throw Qcow2Errors.Unsupported($"The VHDX file needs the metadata {id}, which this version does not know.");
            }

            return;
        }

        if (length > MaxItemLength || (length > 0 && (offset < TableLength || offset > region.Length - length)))
        {
            throw Qcow2Errors.Corrupt(
                $"The metadata {id} is said to lie {offset} bytes into the metadata region, {length} bytes long; the region has {region.Length} bytes, and a table in front.");
        }

        if (items.ContainsKey(id))
        {
            throw Qcow2Errors.Corrupt($"The metadata {id} is there twice.");
        }

        byte[] item = new byte[length];
        storage.ReadZeroPadded(region.Offset + offset, item);
        items.Add(id, item);
    }

    private static bool IsKnown(Guid id)
        => id == FileParametersId || id == DiskSizeId || id == DiskIdId || id == LogicalSectorId || id == PhysicalSectorId
            || id == ParentLocatorId || id == IncompleteFileId;

    private static ReadOnlySpan<byte> Item(Dictionary<Guid, byte[]> items, Guid id, string name, int length)
        => items.TryGetValue(id, out byte[]? item) && item.Length >= length
            ? item
            : throw Qcow2Errors.Corrupt($"The VHDX file's {name} is {(item is null ? "missing" : $"only {item.Length} bytes long")}.");

    private static int SectorSize(Dictionary<Guid, byte[]> items, Guid id, string name)
    {
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(Item(items, id, name, 4));
        return size is 512 or 4096 ? (int)size : throw Qcow2Errors.Corrupt($"The VHDX file's {name} is {size} bytes; it is 512 or 4096.");
    }
}
