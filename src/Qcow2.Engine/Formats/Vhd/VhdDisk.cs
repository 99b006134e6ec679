using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The disk in a VHD, for reading.</summary>
internal sealed class VhdDisk : FileDisk
{
    private readonly VhdBlockMap? _map;

    private VhdDisk(BlockStorage storage, VhdStructure structure, VirtualDisk? parent)
        : base(storage, structure.Size, parent)
    {
        Structure = structure;
        _map = structure.Header is null ? null : new VhdBlockMap(storage, structure);
    }

    /// <summary>What its headers say.</summary>
    internal VhdStructure Structure { get; }

    /// <summary>
    /// A raw disk of the same file holds the footer, too, and is another disk: where the table or the footer lies tells them apart.
    /// </summary>
    internal override DiskOrigin? Origin => new DiskOrigin(
        Storage.Identity, Storage.Identity, Structure.Header is VhdDynamicHeader header ? (long)header.TableOffset : Structure.DataEnd, DiskEncryption.None, isFixed: true);

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
    private protected override FileStretch Find(long offset, long length) => _map?.Find(offset, length) ?? new FileStretch(ExtentKind.Data, length, offset);

    /// <inheritdoc/>
    /// <remarks>Everything of a fixed disk is found.</remarks>
    private protected override long EndOfDamage(long offset) => _map!.DamageEnd(offset);
}
