using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>
/// The disk that a VMDK file is, or that it describes: extents in a row, in this file or in others, over a parent or not. For reading.
/// </summary>
/// <remarks>Source: VMware, Virtual Disk Format 5.0.</remarks>
internal sealed class VmdkDisk : VirtualDisk
{
    private readonly BlockStorage _file;
    private readonly VmdkExtent[] _extents;

    /// <summary>Where each extent starts on the disk, and where the last one ends.</summary>
    private readonly long[] _starts;

    private VmdkDisk(BlockStorage file, VmdkDescriptor descriptor, VmdkExtent[] extents, VirtualDisk? parent)
    {
        _file = file;
        _extents = extents;
        _starts = new long[extents.Length + 1];
        for (int i = 0; i < extents.Length; i++)
        {
            _starts[i + 1] = _starts[i] + extents[i].Length;
        }

        Descriptor = descriptor;
        Backing = parent;
    }

    /// <summary>What the file says of itself.</summary>
    internal VmdkDescriptor Descriptor { get; }

    /// <summary>What is damaged without being in the way, a sentence each.</summary>
    internal IEnumerable<string> Problems => _extents.Select(extent => extent.Problem).OfType<string>();

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override long Length => _starts[_starts.Length - 1];

    /// <inheritdoc/>
    public override VirtualDisk? Backing { get; }

    /// <summary>Reads a disk from storage, which the disk then owns.</summary>
    /// <param name="file">A descriptor, or a file that has its own in it; on failure it is left to the caller.</param>
    /// <param name="openExtent">Opens the file of an extent, by the name that the descriptor has; the disk then owns it.</param>
    /// <param name="openParent">Opens the parent, by the descriptor; the disk then owns it.</param>
    /// <exception cref="Qcow2Exception">The file is damaged or one extent of several, or its parent is another disk by now.</exception>
    internal static VmdkDisk Open(BlockStorage file, Func<string, BlockStorage> openExtent, Func<VmdkDescriptor, VirtualDisk> openParent)
    {
        VmdkExtent[] extents = [];
        VirtualDisk? parent = null;
        try
        {
            (VmdkDescriptor descriptor, VmdkSparseLayout? layout) = LoadDescriptor(file);
            extents = layout is null ? OpenExtents(descriptor, openExtent) : [new VmdkSparseExtent(file, layout, OwnLength(descriptor, layout))];
            parent = descriptor.HasParent ? openParent(descriptor) : null;
            CheckParent(descriptor, parent);
            return new VmdkDisk(file, descriptor, extents, parent);
        }
        catch (Exception e)
        {
            parent?.Dispose();
            foreach (VmdkExtent extent in extents.Where(extent => !ReferenceEquals(extent.File, file)))
            {
                extent.Dispose();
            }

            (e as Qcow2Exception)?.At(file.Path);
            throw;
        }
    }

    /// <summary>Reads what a file says of the disk.</summary>
    /// <returns>The descriptor, and the layout of the extent that it lies in; null where it is a file of its own.</returns>
    internal static (VmdkDescriptor Descriptor, VmdkSparseLayout? Layout) LoadDescriptor(BlockStorage file)
    {
        byte[] start = new byte[VmdkLimits.SectorSize];
        int count = file.Read(0, start);
        if (VmdkSparseLayout.KindOf(start.AsSpan(0, count)) is null)
        {
            return VmdkDescriptor.HasSignature(start.AsSpan(0, count))
                ? (VmdkDescriptor.Parse(ReadText(file, 0, file.Length)), null)
                : throw Qcow2Errors.Corrupt("The file begins neither as a VMDK descriptor ('# Disk DescriptorFile') nor as a sparse extent: it is no VMDK file that says what its disk is.");
        }

        VmdkSparseLayout layout = VmdkSparseLayout.Load(file);
        byte[] text = layout.DescriptorOffset == 0 ? [] : ReadText(file, layout.DescriptorOffset, layout.DescriptorLength);
        if (text.Length == 0 || text[0] == 0) // QEMU leaves room for one in each extent, and nothing there.
        {
            throw new Qcow2Exception(Qcow2ErrorCode.NotQcow2,
                "The file is one extent of a VMDK disk, and not the disk: its own descriptor names no extent. Another one, a small text file beside it (without -s001 or -delta in its name), says what belongs together. Name that file.");
        }

        return (VmdkDescriptor.Parse(text), layout);
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                int index = IndexOf(offset);
                long inExtent = offset - _starts[index];
                VmdkStretch stretch = _extents[index].Find(inExtent, Math.Min(buffer.Length, _extents[index].Length - inExtent));
                Span<byte> part = buffer.Slice(0, (int)stretch.Length);
                switch (stretch.Kind)
                {
                    case VmdkStretchKind.Parent:
                        ReadBacking(offset, part);
                        break;
                    case VmdkStretchKind.Zero:
                        part.Clear();
                        break;
                    default:
                        _extents[index].Read(stretch, inExtent, part);
                        break;
                }

                offset += part.Length;
                buffer = buffer.Slice(part.Length);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        while (offset < end)
        {
            int index = IndexOf(offset);
            VmdkStretch stretch = FindNamed(index, offset - _starts[index], Math.Min(end, _starts[index + 1]) - offset);
            if (stretch.Kind == VmdkStretchKind.Parent)
            {
                foreach (DiskExtent extent in BackingExtents(offset, stretch.Length, depth))
                {
                    yield return extent;
                }
            }
            else
            {
                yield return new DiskExtent(
                    offset, stretch.Length, stretch.Kind == VmdkStretchKind.Zero ? ExtentKind.Zero : ExtentKind.Data, depth, _extents[index].File?.Path ?? Path,
                    stretch.Kind == VmdkStretchKind.Data || _extents[index].HasPlaceForAll ? stretch.FileOffset : null, stretch.Kind == VmdkStretchKind.Compressed);
            }

            offset += stretch.Length;
        }
    }

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length)
    {
        int index = IndexOf(offset);
        VmdkStretch stretch = FindNamed(index, offset - _starts[index], Math.Min(length, _starts[index + 1] - offset));
        return stretch.Kind switch
        {
            VmdkStretchKind.Parent => BackingHostRun(offset, stretch.Length),
            VmdkStretchKind.Data when _extents[index].File is BlockStorage file => new HostRun(file, stretch.FileOffset, stretch.Length),
            _ => null,
        };
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        int index = IndexOf(offset);
        return _starts[index] + _extents[index].DamageEnd(offset - _starts[index]);
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file)
        => _file.Identity.IsProvenSameAs(file) || Array.Exists(_extents, extent => extent.File?.Identity.IsProvenSameAs(file) == true) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
            foreach (VmdkExtent extent in _extents)
            {
                extent.Dispose();
            }

            Backing?.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>The bytes of a descriptor.</summary>
    /// <exception cref="Qcow2Exception">It is longer than any.</exception>
    internal static byte[] ReadText(BlockStorage file, long offset, long length)
    {
        if (length > VmdkLimits.MaxDescriptorLength)
        {
            throw Qcow2Errors.Limit("The length of the VMDK descriptor", (ulong)length, VmdkLimits.MaxDescriptorLength, "bytes");
        }

        byte[] text = new byte[Math.Max(0, Math.Min(length, file.Length - offset))];
        file.ReadZeroPadded(offset, text);
        return text;
    }

    /// <summary>
    /// How long the extent is that the descriptor lies in. The name that the descriptor gives it counts for nothing: it is that of the file
    /// when it was made.
    /// </summary>
    internal static long OwnLength(VmdkDescriptor descriptor, VmdkSparseLayout layout)
    {
        if (descriptor.Extents.Count != 1)
        {
            throw Qcow2Errors.Unsupported($"The descriptor inside the VMDK file names {descriptor.Extents.Count} extents; such a file has one, itself.");
        }

        long said = descriptor.Extents[0].Sectors * VmdkLimits.SectorSize;
        return said == 0 ? layout.Capacity : Math.Min(said, layout.Capacity);
    }

    private static VmdkExtent[] OpenExtents(VmdkDescriptor descriptor, Func<string, BlockStorage> openExtent)
    {
        var extents = new List<VmdkExtent>();
        try
        {
            foreach (VmdkExtentLine line in descriptor.Extents)
            {
                extents.Add(OpenExtent(line, openExtent));
            }

            return [.. extents];
        }
        catch
        {
            extents.ForEach(extent => extent.Dispose());
            throw;
        }
    }

    private static VmdkExtent OpenExtent(VmdkExtentLine line, Func<string, BlockStorage> openExtent)
    {
        if (line.FileName is null || line.Access == VmdkAccess.None)
        {
            return new VmdkZeroExtent(line);
        }

        BlockStorage file = openExtent(line.FileName);
        try
        {
            if (line.Type == VmdkExtentType.Flat)
            {
                return new VmdkFlatExtent(file, line);
            }

            VmdkSparseLayout layout = VmdkSparseLayout.Load(file);
            return layout.Kind == KindOf(line.Type)
                ? new VmdkSparseExtent(file, layout, line.Sectors * VmdkLimits.SectorSize)
                : throw Qcow2Errors.Corrupt($"'{file.Path}' is an extent of the kind {layout.Kind}, and the VMDK descriptor says {line.Type}.");
        }
        catch (Exception e)
        {
            (e as Qcow2Exception)?.At(file.Path);
            file.Dispose();
            throw;
        }
    }

    /// <summary>The kind of sparse extent that a line of the descriptor means.</summary>
    internal static VmdkSparseKind KindOf(VmdkExtentType type) => type switch
    {
        VmdkExtentType.VmfsSparse => VmdkSparseKind.Cowd,
        VmdkExtentType.SeSparse => VmdkSparseKind.SeSparse,
        _ => VmdkSparseKind.Hosted,
    };

    private static void CheckParent(VmdkDescriptor descriptor, VirtualDisk? parent)
    {
        if (parent is VmdkDisk other)
        {
            VmdkParentCheck.Check(descriptor, other.Path, other.Descriptor);
        }
    }

    private VmdkStretch FindNamed(int index, long offset, long length)
    {
        try
        {
            return _extents[index].Find(offset, length);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>The extent that an offset of the disk lies in. Extents of no length hold nothing.</summary>
    private int IndexOf(long offset)
    {
        int low = 0;
        int high = _extents.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_starts[middle + 1] > offset)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}
