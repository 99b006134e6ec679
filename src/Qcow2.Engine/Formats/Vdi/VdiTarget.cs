using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>A new VDI file that a disk is copied into (VirtualBox, <c>VDICore.h</c>).</summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="diskSize">Size of the disk, in bytes.</param>
/// <param name="isFixed">Whether every block has a place.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
/// <param name="newId">Makes ids.</param>
internal sealed class VdiTarget(BlockStorage file, long diskSize, bool isFixed, int sparseSize, Func<Guid> newId)
    : BlockTarget(file, VdiNewLayout.BlockSize, sparseSize)
{
    private const int HeaderLength = 512;
    private const string Title = "<<< Oracle VM VirtualBox Disk Image >>>\n";
    private const uint Version = 0x0001_0001;

    /// <summary>From this field to the end of the header.</summary>
    private const uint HeaderSize = 0x190;

    private readonly NewTable _map = new(file, VdiNewLayout.MapOffset, VdiNewLayout.BlocksOf(diskSize) * sizeof(uint), filler: 0xff);
    private long _allocated;

    /// <inheritdoc/>
    internal override void Complete()
    {
        long blocks = VdiNewLayout.BlocksOf(diskSize);
        if (isFixed)
        {
            for (long block = 0; block < blocks; block++)
            {
                _map.SetUInt32(block, (uint)block);
            }

            _allocated = blocks;
        }

        _map.Complete();
        File.LengthenTo(VdiNewLayout.DataOffsetOf(diskSize) + (_allocated * BlockSize));
        File.Write(0, Header(blocks));
    }

    /// <inheritdoc/>
    protected override long Allocate(long block)
    {
        long index = block;
        if (!isFixed)
        {
            index = _allocated++;
            _map.SetUInt32(block, (uint)index);
        }

        return VdiNewLayout.DataOffsetOf(diskSize) + (index * BlockSize);
    }

    private byte[] Header(long blocks)
    {
        byte[] header = new byte[HeaderLength];
        Encoding.ASCII.GetBytes(Title, 0, Title.Length, header, 0);
        Set(VdiHeader.SignatureOffset, BinaryPrimitives.ReadUInt32LittleEndian(VdiHeader.Mark));
        Set(68, Version);
        Set(72, HeaderSize);
        Set(76, (uint)(isFixed ? VdiType.Fixed : VdiType.Dynamic));
        Set(340, (uint)VdiNewLayout.MapOffset);
        Set(344, (uint)VdiNewLayout.DataOffsetOf(diskSize));
        Set(360, DiskSize.SectorSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(368), (ulong)diskSize);
        Set(376, (uint)BlockSize);
        Set(384, (uint)blocks);
        Set(388, (uint)_allocated);
        newId().ToByteArray().CopyTo(header, 392);
        newId().ToByteArray().CopyTo(header, 408);
        Set(468, DiskSize.SectorSize); // Of the geometry that a header of this size has; VirtualBox refuses the file without.
        return header;

        void Set(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(at), value);
    }
}
