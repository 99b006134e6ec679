using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>What a change of a disk's size or sectors does to the partition table on it. A warning only: what keeps it from being made keeps nobody from the work.</summary>
internal static class PartitionWarnings
{
    private const int SmallSector = 512;

    /// <summary>Warns of a disk that gets another size.</summary>
    /// <param name="open">Opens the disk as it is.</param>
    /// <param name="newLength">The new size, in bytes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static IReadOnlyList<string> OfResize(Func<VirtualDisk> open, long newLength, CancellationToken cancellationToken) => Try(() =>
    {
        using VirtualDisk disk = open();
        return DiskPartitions.ProblemsOf(disk, newLength, null, cancellationToken);
    });

    /// <summary>Warns of a disk that was copied into a new file.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="layout">What the file is.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static IReadOnlyList<string> OfCopy(VirtualDisk disk, DiskCreateOptions layout, CancellationToken cancellationToken)
        => OfCopy(disk, layout.DiskSizeFor(disk.Length), (layout as VhdxCreateOptions)?.LogicalSectorSize, cancellationToken);

    /// <summary>Warns of a disk that was copied into another.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="target">The other one.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static IReadOnlyList<string> OfCopy(VirtualDisk disk, VirtualDisk target, CancellationToken cancellationToken)
        => OfCopy(disk, target.Length, target.LogicalSectorSize, cancellationToken);

    /// <summary>A format that says nothing of sectors leaves it to the machine how large they are, which are small unless somebody says otherwise there.</summary>
    private static IReadOnlyList<string> OfCopy(VirtualDisk disk, long newLength, int? sectorSize, CancellationToken cancellationToken)
        => Try(() => DiskPartitions.ProblemsOf(disk, newLength, sectorSize ?? (disk.LogicalSectorSize is null ? null : SmallSector), cancellationToken));

    private static IReadOnlyList<string> Try(Func<IReadOnlyList<string>> ask)
    {
        try
        {
            return ask();
        }
#pragma warning disable CA1031 // Whatever it is, the work itself meets it, too, or can do without.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            return [];
        }
    }
}
