using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>The clusters that an image says its LUKS header lies in.</summary>
internal static class LuksArea
{
    /// <summary>
    /// Refuses an image whose LUKS header lies where something else lies: writing a key slot would destroy that. Each cluster of it must have the
    /// one reference that the header has to it.
    /// </summary>
    /// <param name="image">The file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="snapshots">Its snapshots.</param>
    /// <exception cref="Qcow2Exception">It does.</exception>
    internal static void EnsureOwn(BlockStorage image, Qcow2Header header, IReadOnlyList<SnapshotTableEntry> snapshots)
    {
        EncryptionHeaderExtension extension = ImageEncryption.FindLuksHeader(header)!;
        var refcounts = RefcountStore.Load(image, header, header.ClusterSize);
        var guard = new MetadataGuard(header.ClusterBits);
        guard.SetRange(header.L1TableOffset, (long)header.L1Size * L1Entry.Length, "the active L1 table");
        guard.SetRange(header.SnapshotsOffset, snapshots.Sum(snapshot => (long)snapshot.TotalLength), "the snapshot table");
        guard.AddRanges(
            snapshots.Where(snapshot => snapshot.HasL1Place(header.Geometry)).Select(snapshot => (snapshot.L1TableOffset, (long)snapshot.L1Size * L1Entry.Length)),
            "the L1 table of a snapshot");
        foreach ((long offset, long length) in refcounts.MetadataRanges())
        {
            guard.Add(offset, length, "the refcount structure");
        }

        var l1 = L1Table.Load(image, header.L1TableOffset, header.L1Size, "The active L1 table");
        for (int i = 0; i < l1.Count; i++)
        {
            if (l1[i].IsUsed)
            {
                guard.Add(l1[i].Offset, header.ClusterSize, "an L2 table");
            }
        }

        if (guard.Find(extension.Offset, extension.HeaderLength) is (long at, string name))
        {
            throw Qcow2Errors.Corrupt($"The LUKS header is said to lie at 0x{extension.Offset:x}, but {name} lies at 0x{at:x}. No key slot was changed, because that would destroy it.");
        }

        for (long cluster = extension.Offset >> header.ClusterBits; cluster <= (extension.Offset + extension.HeaderLength - 1) >> header.ClusterBits; cluster++)
        {
            ulong count = refcounts.Get(cluster);
            if (count != 1)
            {
                throw Qcow2Errors.Corrupt(
                    $"The cluster at 0x{cluster << header.ClusterBits:x}, which holds a part of the LUKS header, has the refcount {count}; it must be 1. No key slot was changed: "
                    + "something else may lie there.");
            }
        }
    }
}
