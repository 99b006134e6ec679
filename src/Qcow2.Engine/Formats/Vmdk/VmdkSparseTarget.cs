using System.Buffers.Binary;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A new sparse extent that a disk is copied into (VMware, Virtual Disk Format 5.0, "Hosted Sparse Extents").</summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="layout">Where things lie.</param>
/// <param name="descriptor">The descriptor; empty where it is a file of its own.</param>
/// <param name="sparseSize">Runs of zeros of this size are not written; 0 writes everything.</param>
internal sealed class VmdkSparseTarget(BlockStorage file, VmdkNewLayout layout, byte[] descriptor, int sparseSize)
    : BlockTarget(file, VmdkNewLayout.GrainSize, sparseSize)
{
    private const uint RedundantDirectory = 2;

    // All tables lie in a row, as one of all grains.
    private readonly NewTable _redundantTables = Tables(file, layout, layout.RedundantTablesSector);
    private readonly NewTable _tables = Tables(file, layout, layout.TablesSector);
    private long _allocated;

    /// <inheritdoc/>
    internal override void Complete()
    {
        _redundantTables.Complete();
        _tables.Complete();
        WriteDirectory(layout.RedundantDirectorySector, layout.RedundantTablesSector);
        WriteDirectory(layout.DirectorySector, layout.TablesSector);
        File.LengthenTo(layout.FileSizeOf(_allocated));
        File.Write(0, Start());
    }

    /// <inheritdoc/>
    protected override long Allocate(long block)
    {
        long place = layout.FileSizeOf(_allocated++);
        uint sector = checked((uint)(place / VmdkLimits.SectorSize));
        _redundantTables.SetUInt32(block, sector);
        _tables.SetUInt32(block, sector);
        return place;
    }

    private static NewTable Tables(BlockStorage file, VmdkNewLayout layout, long sector)
        => new(file, sector * VmdkLimits.SectorSize, layout.Tables * VmdkNewLayout.TableSectors * VmdkLimits.SectorSize);

    private void WriteDirectory(long directorySector, long tablesSector)
    {
        byte[] directory = new byte[layout.Tables * sizeof(uint)];
        for (int i = 0; i < layout.Tables; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(directory.AsSpan(i * sizeof(uint)), (uint)(tablesSector + (i * VmdkNewLayout.TableSectors)));
        }

        File.Write(directorySector * VmdkLimits.SectorSize, directory);
    }

    private byte[] Start()
    {
        byte[] start = new byte[VmdkNewHeader.Length + descriptor.Length];
        var header = new VmdkNewHeader
        {
            Version = 1,
            Flags = RedundantDirectory,
            Capacity = layout.Length,
            HasDescriptor = layout.HasDescriptor,
            RedundantDirectorySector = layout.RedundantDirectorySector,
            DirectorySector = (ulong)layout.DirectorySector,
            DataSector = layout.DataSector,
        };
        header.WriteTo(start);
        descriptor.CopyTo(start, VmdkNewHeader.Length);
        return start;
    }
}
