using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>The disk in a VDI file (VirtualBox), for reading: dynamic, fixed, or differencing over a parent that the caller names.</summary>
internal sealed class VdiDisk : VirtualDisk
{
    /// <summary>What the map says of a block that the file does not have: the parent's, or zeros.</summary>
    private const uint Free = uint.MaxValue;

    /// <summary>What the map says of a block that is zeros, whatever the parent has.</summary>
    internal const uint Zero = uint.MaxValue - 1;

    private readonly BlockStorage _file;
    private readonly TablePages _map;

    private VdiDisk(BlockStorage file, VdiHeader header, VirtualDisk? parent)
    {
        _file = file;
        _map = new TablePages(file);
        Header = header;
        Backing = parent;
    }

    /// <summary>What the file says of itself.</summary>
    internal VdiHeader Header { get; }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override long Length => Header.DiskSize;

    /// <inheritdoc/>
    public override VirtualDisk? Backing { get; }

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
            CheckParent(header, parent);
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
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            Stretch stretch = Find(offset, buffer.Length);
            Span<byte> part = buffer.Slice(0, (int)stretch.Length);
            switch (stretch.Kind)
            {
                case ExtentKind.Data:
                    _file.ReadZeroPadded(stretch.FileOffset, part);
                    break;
                case ExtentKind.Unallocated:
                    ReadBacking(offset, part);
                    break;
                default:
                    part.Clear();
                    break;
            }

            offset += part.Length;
            buffer = buffer.Slice(part.Length);
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            Stretch stretch = Find(offset, end - offset);
            if (stretch.Kind == ExtentKind.Unallocated)
            {
                foreach (DiskExtent extent in BackingExtents(offset, stretch.Length, depth))
                {
                    yield return extent;
                }
            }
            else
            {
                yield return new DiskExtent(
                    offset, stretch.Length, stretch.Kind, depth, Path, stretch.Kind == ExtentKind.Data ? stretch.FileOffset : null, IsCompressed: false);
            }

            offset += stretch.Length;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        try
        {
            Stretch stretch = Find(offset, 1);
            return stretch.Kind == ExtentKind.Unallocated && Backing is VirtualDisk parent && offset < parent.Length ? parent.DamageEnd(offset) : base.DamageEnd(offset);
        }
        catch (Exception e) when (e is Qcow2Exception or IOException)
        {
            return ((offset / Header.BlockSize) + 1) * Header.BlockSize;
        }
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _file.Identity.IsProvenSameAs(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
            Backing?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static void CheckParent(VdiHeader header, VirtualDisk? parent)
    {
        if (parent is not VdiDisk other)
        {
            return;
        }

        if (other.Header.Id != header.ParentId)
        {
            throw Qcow2Errors.Corrupt($"'{other.Path}' has the id {other.Header.Id}, and this differencing disk was made from {header.ParentId}: it is another disk.");
        }

        if (other.Header.ModificationId != header.ParentModificationId && header.ParentModificationId != Guid.Empty)
        {
            throw Qcow2Errors.Corrupt(
                $"The parent '{other.Path}' was changed after this differencing disk was made from it: its modification id is {other.Header.ModificationId}, and {header.ParentModificationId} is expected. "
                + "What the two show together is no disk that ever was.");
        }
    }

    /// <summary>What lies at an offset, and as far as that goes on in the file.</summary>
    private Stretch Find(long offset, long length)
    {
        long block = offset / Header.BlockSize;
        long inBlock = offset % Header.BlockSize;
        uint entry = Entry(block);
        long end = Header.BlockSize - inBlock;
        if (entry is not (Free or Zero))
        {
            long place = Header.DataOffset + (entry * (Header.BlockSize + Header.ExtraSize)) + Header.ExtraSize;

            // Of the last block only what the disk has must be there.
            long needed = Math.Min(Header.BlockSize, Length - (block * Header.BlockSize));
            return entry < Header.BlockCount && place <= _file.Length - needed
                ? new Stretch(ExtentKind.Data, Math.Min(length, end), place + inBlock)
                : throw Qcow2Errors.Corrupt(
                    $"Block {block} of the VDI file is said to be number {entry} in the file, at 0x{place:x}; the file has room for {Header.BlockCount} blocks and ends at 0x{_file.Length:x}.").At(Path);
        }

        while (end < length && Entry(++block) == entry)
        {
            end += Header.BlockSize;
        }

        return new Stretch(entry == Free ? ExtentKind.Unallocated : ExtentKind.Zero, Math.Min(length, end), 0);
    }

    private uint Entry(long block) => _map.ReadUInt32(Header.MapOffset + (block * sizeof(uint)));

    private readonly record struct Stretch(ExtentKind Kind, long Length, long FileOffset);
}
