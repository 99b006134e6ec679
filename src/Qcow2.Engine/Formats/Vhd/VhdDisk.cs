using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The disk in a VHD, for reading.</summary>
internal sealed class VhdDisk : VirtualDisk
{
    private readonly BlockStorage _storage;
    private readonly VhdBlockMap? _map;
    private readonly VirtualDisk? _parent;

    private VhdDisk(BlockStorage storage, VhdStructure structure, VirtualDisk? parent)
    {
        _storage = storage;
        _parent = parent;
        Structure = structure;
        _map = structure.Header is null ? null : new VhdBlockMap(storage, structure);
    }

    /// <summary>What its headers say.</summary>
    internal VhdStructure Structure { get; }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override long Length => Structure.Size;

    /// <inheritdoc/>
    public override VirtualDisk? Backing => _parent;

    /// <summary>
    /// A raw disk of the same file holds the footer, too, and is another disk: where the table or the footer lies tells them apart.
    /// </summary>
    internal override DiskOrigin? Origin => new DiskOrigin(
        _storage.Identity, _storage.Identity, Structure.Header is VhdDynamicHeader header ? (long)header.TableOffset : Structure.DataEnd, DiskEncryption.None, isFixed: true);

    /// <summary>Opens the disk in a file, which the disk then owns, as it does the parent.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="structure">What its headers say.</param>
    /// <param name="parent">The disk below; null of a disk that has none.</param>
    /// <param name="isSalvage">Whether to read what can be read of a disk whose table is damaged.</param>
    /// <param name="onProblem">Told of what is damaged without keeping the disk from being read.</param>
    /// <exception cref="Qcow2Exception">The disk is damaged, needs a parent, or another one.</exception>
    internal static VhdDisk Open(
        BlockStorage storage, VhdStructure structure, VhdParent? parent = null, bool isSalvage = false, Action<string>? onProblem = null)
    {
        try
        {
            var problems = new List<string>(structure.Problems);
            if (structure.IsDifferencing)
            {
                VhdParentCheck.Require(structure, parent, problems);
            }

            if (structure.Header is not null && VhdTableAudit.FirstFault(storage, structure) is Qcow2Exception fault)
            {
                if (!isSalvage)
                {
                    throw fault;
                }

                problems.Add(fault.Message);
            }

            foreach (string problem in problems)
            {
                onProblem?.Invoke($"{storage.Path}: {problem}");
            }

            return new VhdDisk(storage, structure, structure.IsDifferencing ? parent!.Disk : null);
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                VhdRun run = Find(offset, buffer.Length);
                Span<byte> part = buffer.Slice(0, (int)run.Length);
                switch (run.State)
                {
                    case VhdRunState.Data:
                        ReadData(run.HostOffset, part);
                        break;
                    case VhdRunState.Absent:
                        ReadBacking(offset, part);
                        break;
                    default:
                        part.Clear();
                        break;
                }

                offset += run.Length;
                buffer = buffer.Slice((int)run.Length);
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        if (_map is null)
        {
            return base.DamageEnd(offset);
        }

        try
        {
            return Find(offset, 1).State == VhdRunState.Absent && _parent is not null && offset < _parent.Length
                ? _parent.DamageEnd(offset)
                : base.DamageEnd(offset);
        }
        catch (IOException)
        {
            return _map.DamageEnd(offset);
        }
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
        => _map is null ? new FileExtents(_storage).Of(offset, offset, length, depth) : EnumerateBlocks(offset, offset + length, depth);

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _storage.Identity.IsProvenSameAs(file) || base.ReadsFrom(file);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _storage.Dispose();
            _parent?.Dispose();
        }

        base.Dispose(disposing);
    }

    private VhdRun Find(long offset, long length) => _map?.Find(offset, length) ?? new VhdRun(VhdRunState.Data, length, offset);

    private VhdRun FindForExtents(long offset, long length)
    {
        try
        {
            return Find(offset, length);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>What was in the file when it was opened must be there still.</summary>
    private void ReadData(long hostOffset, Span<byte> buffer)
    {
        if (_storage.Read(hostOffset, buffer) < buffer.Length)
        {
            throw Qcow2Errors.PastEnd("Data", (ulong)hostOffset, (ulong)buffer.Length, _storage.Length);
        }
    }

    private IEnumerable<DiskExtent> EnumerateBlocks(long offset, long end, int depth)
    {
        var parts = new FileExtents(_storage);
        while (offset < end)
        {
            VhdRun run = FindForExtents(offset, end - offset);
            IEnumerable<DiskExtent> extents = run.State switch
            {
                VhdRunState.Absent => BackingExtents(offset, run.Length, depth),
                VhdRunState.Data => parts.Of(run.HostOffset, offset, run.Length, depth),
                _ => [new DiskExtent(offset, run.Length, ExtentKind.Zero, depth, Path, null, IsCompressed: false)],
            };
            foreach (DiskExtent extent in extents)
            {
                yield return extent;
            }

            offset += run.Length;
        }
    }
}
