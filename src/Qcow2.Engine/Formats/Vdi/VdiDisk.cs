using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>The disk in a VDI file (VirtualBox), for reading: dynamic, fixed, or differencing over a parent that the caller names.</summary>
internal sealed class VdiDisk : SparseDisk
{
    /// <summary>What the map says of a block that the file does not have: the parent's, or zeros.</summary>
    private const uint Free = uint.MaxValue;

    /// <summary>What the map says of a block that is zeros, whatever the parent has.</summary>
    internal const uint Zero = uint.MaxValue - 1;

    private readonly TablePages _map;

    private VdiDisk(BlockStorage file, VdiHeader header, VirtualDisk? parent)
        : base(file, header.DiskSize, header.BlockSize, parent)
    {
        _map = new TablePages(file);
        Header = header;
    }

    /// <summary>What the file says of itself.</summary>
    internal VdiHeader Header { get; }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="file">The file; on failure it is left to the caller.</param>
    /// <param name="openParent">Opens the parent of a differencing disk, by what the header says of it; the disk then owns it.</param>
    /// <exception cref="Qcow2Exception">The file is damaged, or its parent is another disk by now.</exception>
    internal static VdiDisk Open(BlockStorage file, Func<VdiHeader, VirtualDisk> openParent)
    {
        VirtualDisk? parent = null;
        try
        {
            var header = VdiHeader.Load(file);
            parent = header.HasParent ? openParent(header) : null;
            if (parent is VdiDisk other)
            {
                VdiParentCheck.Require(header, other.Header, other.Path);
            }

            return new VdiDisk(file, header, parent);
        }
        catch (Exception e)
        {
            parent?.Dispose();
            (e as Qcow2Exception)?.At(file.Path);
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override BlockPlace Locate(long block)
    {
        uint entry = _map.ReadUInt32(Header.MapOffset + (block * sizeof(uint)));
        if (entry is Free or Zero)
        {
            return new BlockPlace(entry == Free ? ExtentKind.Unallocated : ExtentKind.Zero);
        }

        long place = Header.DataOffset + (entry * (BlockSize + Header.ExtraSize)) + Header.ExtraSize;
        return entry < Header.BlockCount
            ? DataAt(block, place, Header.DataOffset)
            : throw Qcow2Errors.Corrupt($"Block {block} of the VDI file is said to be number {entry} in the file, which has room for {Header.BlockCount} blocks.");
    }
}
