using System.Buffers.Binary;
using System.Text;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi;

/// <summary>What kind of disk a VDI file holds.</summary>
internal enum VdiType
{
    /// <summary>Blocks are in the file once they were written.</summary>
    Dynamic = 1,

    /// <summary>All blocks are in the file.</summary>
    Fixed = 2,

    /// <summary>Changes that are given up when the machine ends.</summary>
    Undo = 3,

    /// <summary>Differences from another disk.</summary>
    Differencing = 4,
}

/// <summary>The header of a VDI file (VirtualBox, <c>VDICore.h</c>), in bytes.</summary>
/// <param name="Type">What kind of disk it holds.</param>
/// <param name="MapOffset">Where the block map lies.</param>
/// <param name="DataOffset">Where the first block lies.</param>
/// <param name="DiskSize">Size of the disk.</param>
/// <param name="BlockSize">Unit of allocation.</param>
/// <param name="ExtraSize">Bytes before the data of each block that belong to nobody.</param>
/// <param name="BlockCount">Blocks of the disk.</param>
/// <param name="AllocatedBlocks">Blocks that are in the file, as the header says.</param>
/// <param name="Id">The disk's id.</param>
/// <param name="ModificationId">Changes with the disk's content.</param>
/// <param name="ParentId">The parent's id; empty without one.</param>
/// <param name="ParentModificationId">The parent's modification id when this disk was made from it.</param>
internal sealed record VdiHeader(
    VdiType Type, long MapOffset, long DataOffset, long DiskSize, long BlockSize, long ExtraSize, long BlockCount, long AllocatedBlocks,
    Guid Id, Guid ModificationId, Guid ParentId, Guid ParentModificationId)
{
    /// <summary>Where the signature lies.</summary>
    internal const int SignatureOffset = 64;

    private const uint Signature = 0xbeda_107f;
    private const int Length = 512;
    private const int SectorSize = 512;
    private const int MinBlockSize = 4096;
    private const int MaxBlockSize = 256 << 20;

    /// <summary>The largest map that indices of 32 bits can fill, less the two that have a meaning of their own.</summary>
    private const long MaxBlocks = 0xffff_fffd;

    /// <summary>The largest disk: offsets stay far from where 64 bits end.</summary>
    private const long MaxDiskSize = 1L << 57;

    /// <summary>Whether the disk holds differences from another one.</summary>
    internal bool HasParent => ParentId != Guid.Empty;

    /// <summary>The mark of the format.</summary>
    internal static ReadOnlySpan<byte> Mark => [0x7f, 0x10, 0xda, 0xbe];

    /// <summary>Reads the header of a file.</summary>
    /// <exception cref="Qcow2Exception">It is no VDI file, of a version that is not known, or its fields are not possible.</exception>
    internal static VdiHeader Load(BlockStorage file)
    {
        VdiHeader header = Parse(file, out IReadOnlyList<Qcow2Exception> faults);
        return faults.Count == 0 ? header : throw faults[0];
    }

    /// <summary>Reads the header of a file, and says what its fields cannot be.</summary>
    /// <param name="file">The file.</param>
    /// <param name="faults">What is not possible; with any of it the header is of no use.</param>
    /// <exception cref="Qcow2Exception">It is no VDI file, or of a version that is not known.</exception>
    internal static VdiHeader Parse(BlockStorage file, out IReadOnlyList<Qcow2Exception> faults)
    {
        byte[] bytes = new byte[Length];
        file.ReadZeroPadded(0, bytes);
        if (U32(bytes, SignatureOffset) != Signature)
        {
            throw Qcow2Errors.Corrupt($"There is no 0x{Signature:x8} at 0x{SignatureOffset:x}: it is no VDI file.");
        }

        uint version = U32(bytes, 68);
        if (version >> 16 != 1)
        {
            throw Qcow2Errors.Unsupported($"The VDI file has version {version >> 16}.{version & 0xffff}; 1.1 is known. VirtualBox turns an older one into that when it opens it.");
        }

        uint type = U32(bytes, 76);
        if (type is < 1 or > 4)
        {
            throw Qcow2Errors.Unsupported($"The VDI file is of the type {type}; 1 (dynamic), 2 (fixed) and 4 (differencing) are known.");
        }

        var header = new VdiHeader(
            (VdiType)type, U32(bytes, 340), U32(bytes, 344), Checked(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(368))), U32(bytes, 376), U32(bytes, 380), U32(bytes, 384), U32(bytes, 388),
            IdAt(bytes, 392), IdAt(bytes, 408), IdAt(bytes, 424), IdAt(bytes, 440));
        faults = [.. header.Faults(file.Length, U32(bytes, 360))];
        return header;
    }

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static Guid IdAt(byte[] bytes, int at) => new(bytes.AsSpan(at, 16).ToArray());

    private static long Checked(ulong size)
        => size <= MaxDiskSize ? (long)size : throw Qcow2Errors.Limit("The size of the VDI file's disk", size, MaxDiskSize, "bytes");

    private IEnumerable<Qcow2Exception> Faults(long fileLength, uint sectorSize)
    {
        if (sectorSize is not (0 or SectorSize))
        {
            yield return Qcow2Errors.Unsupported($"The VDI file has sectors of {sectorSize} bytes; {SectorSize} are known.");
        }

        if (Type == VdiType.Undo)
        {
            yield return Qcow2Errors.Unsupported("The VDI file holds changes that VirtualBox gives up when a machine ends (type 3, undo): that is no disk of its own.");
        }

        if (BlockSize is < MinBlockSize or > MaxBlockSize || (BlockSize & (BlockSize - 1)) != 0)
        {
            yield return Qcow2Errors.Corrupt($"The VDI file has blocks of {BlockSize} bytes; they have {MinBlockSize} to {MaxBlockSize}, in a power of two. VirtualBox makes them of 1048576.");
            yield break;
        }

        if (ExtraSize > BlockSize || ExtraSize % SectorSize != 0)
        {
            yield return Qcow2Errors.Corrupt($"The VDI file has {ExtraSize} bytes before each block of {BlockSize}: that is more than the block, or no number of sectors.");
        }

        long needed = (DiskSize / BlockSize) + (DiskSize % BlockSize != 0 ? 1 : 0);
        if (BlockCount < needed || BlockCount > MaxBlocks)
        {
            yield return Qcow2Errors.Corrupt($"The map of the VDI file has {BlockCount} blocks, and the disk of {DiskSize} bytes needs {needed}.");
        }

        if (MapOffset < Length || MapOffset % sizeof(uint) != 0 || MapOffset > fileLength - (needed * sizeof(uint)))
        {
            yield return Qcow2Errors.PastEnd("The block map of the VDI file", (ulong)MapOffset, (ulong)(needed * sizeof(uint)), fileLength);
        }

        if (DataOffset < MapOffset + (needed * sizeof(uint)))
        {
            yield return Qcow2Errors.Corrupt($"The blocks of the VDI file are said to begin at 0x{DataOffset:x}, in the block map at 0x{MapOffset:x} or before it.");
        }
    }
}
