using System.Buffers.Binary;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Disks.Copying;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>
/// A new stream that a disk is copied into: compressed grains in the order of the disk, the table of each 32 MiB behind them, and at the end the
/// directory and a copy of the header that leads to it. As VirtualBox and VMware's ovftool write it, so that whoever reads only forwards can import it.
/// </summary>
/// <param name="file">The file, which is empty.</param>
/// <param name="diskSize">Size of the disk, in bytes.</param>
/// <param name="descriptor">The descriptor.</param>
/// <param name="sparseSize">0 to write grains of zeros, too.</param>
/// <param name="level">How hard the compressor tries.</param>
internal sealed class VmdkStreamTarget(BlockStorage file, long diskSize, byte[] descriptor, int sparseSize, int level) : CopyTarget
{
    /// <summary>Compressing takes its time, so that small parcels keep all threads busy to the end. None reaches over the end of a table.</summary>
    private const int ParcelBytes = 512 << 10;

    private const int TableRoom = (int)VmdkStreamLayout.MarkedTableSectors * VmdkLimits.SectorSize;

    /// <summary>ESXi refuses streams of version 1.</summary>
    private const uint Version = 3;

    private const uint Compressed = 0x1_0000;
    private const uint Markers = 0x2_0000;

    private readonly ZlibEncoder _encoder = new(level);
    private readonly uint[] _directory = new uint[VmdkNewLayout.TablesOf(diskSize)];
    private readonly uint[] _entries = new uint[VmdkNewLayout.TableEntries];
    private long _table = -1;
    private long _sector = VmdkStreamLayout.DataSector;

    /// <inheritdoc/>
    internal override int Unit => VmdkNewLayout.GrainSize;

    /// <inheritdoc/>
    internal override int MaxParcelBytes => ParcelBytes;

    /// <inheritdoc/>
    internal override bool WritesZeros => false;

    /// <inheritdoc/>
    internal override CopyParcel NewParcel()
        => new VmdkStreamParcel(ParcelBytes, TableRoom + (ParcelBytes / VmdkNewLayout.GrainSize * VmdkStreamLayout.MaxGrainSectors * VmdkLimits.SectorSize));

    /// <inheritdoc/>
    internal override long Reach(long length) => VmdkNewLayout.GrainsOf(length) * VmdkNewLayout.GrainSize;

    /// <inheritdoc/>
    internal override void Prepare(CopyParcel parcel)
    {
        var stream = (VmdkStreamParcel)parcel;
        stream.Grains.Clear();
        ReadOnlySpan<byte> data = parcel.Data;
        int end = TableRoom;
        for (int start = 0; start < data.Length; start += VmdkNewLayout.GrainSize)
        {
            ReadOnlySpan<byte> grain = data.Slice(start, VmdkNewLayout.GrainSize);
            if (sparseSize == 0 || !SpanSearch.IsAllZero(grain))
            {
                stream.Grains.Add(((parcel.Piece.Offset + start) / VmdkNewLayout.GrainSize, (end - TableRoom) / VmdkLimits.SectorSize));
                end += Compress(parcel.Piece.Offset + start, grain, stream.Output.Slice(end));
            }
        }

        stream.End = end;
    }

    /// <inheritdoc/>
    internal override void Place(CopyParcel parcel)
    {
        var stream = (VmdkStreamParcel)parcel;
        stream.Start = stream.End;
        if (stream.Grains.Count == 0)
        {
            return;
        }

        stream.Start = TableRoom;
        stream.Place = _sector * VmdkLimits.SectorSize;
        long table = stream.Grains[0].Grain / VmdkNewLayout.TableEntries;
        if (table != _table)
        {
            if (_table >= 0)
            {
                stream.Start = 0;
                EndTable(stream.Output);
            }

            _table = table;
        }

        VmdkNewLimits.CheckStream((_sector * VmdkLimits.SectorSize) + stream.End - TableRoom, file.Path);
        foreach ((long grain, long sector) in stream.Grains)
        {
            _entries[grain % VmdkNewLayout.TableEntries] = (uint)(_sector + sector);
        }

        _sector += (stream.End - TableRoom) / VmdkLimits.SectorSize;
    }

    /// <inheritdoc/>
    internal override void Finish(CopyParcel parcel)
    {
        var stream = (VmdkStreamParcel)parcel;
        if (stream.End > stream.Start)
        {
            file.Write(stream.Place, stream.Output.Slice(stream.Start, stream.End - stream.Start));
        }
    }

    /// <inheritdoc/>
    internal override void Complete()
    {
        byte[] start = new byte[(int)(VmdkNewLayout.DescriptorSector * VmdkLimits.SectorSize) + descriptor.Length];
        Header(VmdkNewHeader.AtEnd).WriteTo(start);
        descriptor.CopyTo(start, start.Length - descriptor.Length);
        file.Write(0, start);

        long position = _sector * VmdkLimits.SectorSize;
        byte[] end = End();
        VmdkNewLimits.CheckStream(position + end.Length, file.Path);
        file.Write(position, end);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _encoder.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Compresses a grain.</summary>
    /// <returns>Bytes that it takes, whole sectors.</returns>
    private int Compress(long offset, ReadOnlySpan<byte> grain, Span<byte> output)
    {
        int length = _encoder.Encode(grain, output.Slice(VmdkStreamLayout.GrainHeaderLength));
        BinaryPrimitives.WriteUInt64LittleEndian(output, (ulong)(offset / VmdkLimits.SectorSize));
        BinaryPrimitives.WriteUInt32LittleEndian(output.Slice(sizeof(ulong)), (uint)length);
        length += VmdkStreamLayout.GrainHeaderLength;
        int whole = (length + VmdkLimits.SectorSize - 1) & -VmdkLimits.SectorSize;
        output.Slice(length, whole - length).Clear();
        return whole;
    }

    /// <summary>Writes the table of the grains so far, with its marker, and begins an empty one.</summary>
    private void EndTable(Span<byte> output)
    {
        VmdkMarker.Write(output, VmdkMarker.GrainTable, VmdkNewLayout.TableSectors);
        for (int i = 0; i < _entries.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(output.Slice(VmdkMarker.Length + (i * sizeof(uint))), _entries[i]);
        }

        _directory[_table] = (uint)_sector + 1;
        _sector += VmdkStreamLayout.MarkedTableSectors;
        Array.Clear(_entries, 0, _entries.Length);
    }

    /// <summary>The last table, the directory and the footer, each behind its marker, and the mark of the end, which is all zeros.</summary>
    private byte[] End()
    {
        long directorySectors = VmdkNewLayout.DirectorySectorsOf(diskSize);
        int tableLength = _table >= 0 ? TableRoom : 0;
        int directoryLength = (int)directorySectors * VmdkLimits.SectorSize;
        byte[] end = new byte[tableLength + VmdkMarker.Length + directoryLength + VmdkMarker.Length + VmdkNewHeader.Length + VmdkMarker.Length];
        if (_table >= 0)
        {
            EndTable(end);
        }

        Span<byte> rest = end.AsSpan(tableLength);
        VmdkMarker.Write(rest, VmdkMarker.GrainDirectory, directorySectors);
        rest = rest.Slice(VmdkMarker.Length);
        for (int i = 0; i < _directory.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest.Slice(i * sizeof(uint)), _directory[i]);
        }

        rest = rest.Slice(directoryLength);
        VmdkMarker.Write(rest, VmdkMarker.Footer, 1);
        Header((ulong)_sector + 1).WriteTo(rest.Slice(VmdkMarker.Length));
        return end;
    }

    private VmdkNewHeader Header(ulong directorySector) => new()
    {
        Version = Version,
        Flags = Compressed | Markers,
        Capacity = diskSize,
        HasDescriptor = true,
        DirectorySector = directorySector,
        DataSector = VmdkStreamLayout.DataSector,
        IsCompressed = true,
    };
}
