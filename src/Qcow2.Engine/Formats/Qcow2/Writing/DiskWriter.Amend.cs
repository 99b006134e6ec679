using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Amending;
using Qcow2.Engine.Formats.Qcow2.Snapshots;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>What an image of version 3 has to give up to become one of version 2.</content>
internal sealed partial class DiskWriter
{
    /// <summary>Makes of clusters that are said to read as zeros such as version 2 knows, in the disk and in all snapshots, all at once.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    /// <exception cref="NotSupportedException">There are compressed clusters that version 2 cannot have. Nothing has changed.</exception>
    internal void ExpandZeros(AmendProgress progress, CancellationToken cancellationToken)
    {
        ZeroExpansion expansion = ScanZeros(progress, cancellationToken);
        if (!expansion.IsNeeded)
        {
            return;
        }

        ChangeTables(
            () =>
            {
                TableChange? change = null;
                WriteGuarded(() => change = expansion.Write(_l1.CopyEntries(), [.. Snapshots.Select(snapshot => (snapshot, LoadL1(snapshot)))], _disk.Length));
                return change!;
            },
            punchHoles: true,
            cancellationToken);
    }

    /// <summary>Refuses what <see cref="ExpandZeros"/> would.</summary>
    internal ZeroExpansion ScanZeros(AmendProgress progress, CancellationToken cancellationToken)
    {
        var expansion = new ZeroExpansion(_resources, _guard, _refcounts, _geometry, progress, cancellationToken);
        expansion.Scan([_l1.CopyEntries(), .. Snapshots.Select(LoadL1)]);
        if (expansion.HasCompressed && Header.CompressionType != CompressionType.Deflate)
        {
            throw new NotSupportedException(
                $"{_disk.Path}: the image has clusters that are compressed with {Header.CompressionType.ToString().ToLowerInvariant()}, which version 2 does not know. Convert the image with -Version 2 instead.");
        }

        if (expansion.Writes)
        {
            _resources.EnsureReadable(); // Encrypted zeros need the key.
        }

        return expansion;
    }
}
