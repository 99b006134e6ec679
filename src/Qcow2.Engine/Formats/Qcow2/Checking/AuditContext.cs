using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>What the parts of a check share: the file, the counts and the log. Safe from many threads.</summary>
internal sealed class AuditContext
{
    private const int MostKept = 1 << 20;
    private const int MostPastEnd = 1 << 16;

    private readonly HashSet<long> _kept = [];
    private readonly List<(long Offset, long Length)> _pastEnd = [];
    private long _wrongCopiedFlags;
    private readonly List<(long Start, long End)> _metadata = [];

    internal AuditContext(BlockStorage image, Qcow2Header header, FindingLog log, long fileLength, StoredRefcounts stored)
    {
        Image = image;
        Header = header;
        Geometry = header.Geometry;
        Log = log;
        FileLength = fileLength;
        Clusters = ClustersOf(fileLength, header);
        Stored = stored;
        IsSparse = HoleFinder.IsSparse(image);
        Tail = new FileTail(fileLength, Geometry);

        // A structure may run into the cluster after the last, by less than a cluster.
        References = new ReferenceCounts(Clusters + 1);
    }

    internal BlockStorage Image { get; }

    internal Qcow2Header Header { get; }

    internal ClusterGeometry Geometry { get; }

    internal FindingLog Log { get; }

    internal long FileLength { get; }

    internal FileTail Tail { get; }

    /// <summary>Clusters that the file has, the last of which it may hold in part.</summary>
    internal long Clusters { get; }

    internal ReferenceCounts References { get; }

    internal StoredRefcounts Stored { get; }

    internal bool IsSparse { get; }

    internal bool HasDataFile => Header.Has(IncompatibleFeatures.ExternalDataFile);

    /// <summary>Whether the refcounts cannot be put right where they are.</summary>
    internal bool NeedsRebuild { get; set; }

    /// <summary>Whether no structure was so damaged that what it refers to is not known. If not, nothing is known to be free.</summary>
    internal bool FoundAll { get; set; } = true;

    /// <summary>Whether an L1 table is not there, so that clusters nothing seems to refer to may be all that is left of a disk.</summary>
    internal bool LacksL1 { get; set; }

    /// <summary>Whether the snapshot table, or an entry of it, cannot be used as it is.</summary>
    internal bool HasDamagedSnapshots { get; set; }

    /// <summary>Whether the file ends inside a structure of metadata.</summary>
    internal bool HasCutMetadata { get; private set; }

    /// <summary>Whether a bitmap was not saved when the image was last closed.</summary>
    internal bool HasInconsistentBitmaps { get; set; }

    /// <summary>Whether a bitmap cannot be used, and cannot be put right.</summary>
    internal bool HasDamagedBitmaps { get; set; }

    /// <summary>COPIED flags of the active tables that do not agree with the refcounts.</summary>
    internal long WrongCopiedFlags => Interlocked.Read(ref _wrongCopiedFlags);

    /// <summary>The L1 tables of the snapshots.</summary>
    internal IReadOnlyList<SnapshotL1> Snapshots { get; set; } = [];

    /// <summary>Where the refcount table and blocks lie that were counted, as host offset and length.</summary>
    internal List<(long Offset, long Length)> RefcountStructure { get; } = [];

    /// <summary>Clusters of refcount blocks that something else uses, too, which was counted where the blocks were.</summary>
    internal HashSet<long> KnownOverlaps { get; } = [];

    /// <summary>Clusters of metadata that something else uses, too.</summary>
    internal HashSet<long> Overlaps { get; } = [];

    /// <summary>Whether some cluster has several references, and a count that does not know of them.</summary>
    internal bool HasUncountedSharing { get; set; }

    /// <summary>Whether some cluster has more references than its count can say.</summary>
    internal bool HasOverflow { get; set; }

    /// <summary>Whether so many damaged entries may still need their clusters that none may be freed.</summary>
    internal bool KeepsAll { get; private set; }

    /// <summary>Stretches of the file that hold metadata other than L2 tables.</summary>
    internal IReadOnlyList<(long Start, long End)> Metadata => _metadata;

    /// <summary>Clusters that a length takes, the last of them in part.</summary>
    internal static long ClustersOf(long length, Qcow2Header header) => (length >> header.ClusterBits) + ((length & (header.ClusterSize - 1)) != 0 ? 1 : 0);

    /// <summary>Whether a range lies in the file. The last cluster need not be there as a whole.</summary>
    internal bool IsInFile(long offset, long length) => offset + length - FileLength < Geometry.ClusterSize;

    /// <summary>Counts references to every cluster that a range touches; the range must lie in the file.</summary>
    internal void Refer(long offset, long length, long weight)
    {
        long first = offset >> Geometry.ClusterBits;
        References.Add(first, ((offset + length - 1) >> Geometry.ClusterBits) - first + 1, weight);
    }

    /// <summary>Counts a structure of metadata, or notes that it lies past the end of the file.</summary>
    /// <param name="order">The place of a finding.</param>
    /// <param name="position">Where the file says so.</param>
    /// <param name="offset">Where the structure lies.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="name">What to call it.</param>
    /// <param name="isReplaceable">Whether a repair makes a new one, wherever this one is said to lie.</param>
    /// <returns>Whether it lies in the file.</returns>
    internal bool UseMetadata(FindingOrder order, long position, long offset, long length, string name, bool isReplaceable = false)
    {
        if (length <= 0)
        {
            return true;
        }

        if (!IsInFile(offset, length))
        {
            if (!isReplaceable)
            {
                NotePastEnd(offset, length);
            }

            Log.Add(order, Qcow2CheckSeverity.Corruption, 1, () => new Qcow2CheckFinding
            {
                Kind = Qcow2CheckFindingKind.PastEndOfFile,
                Offset = position,
                Cluster = offset >> Geometry.ClusterBits,
                Table = name,
                Found = (ulong)offset,
                Message = $"{Capital(name)} at 0x{offset:x}, {length} bytes long, does not fit in the file, which ends at 0x{FileLength:x}.",
            });
            return false;
        }

        if (offset + length > Image.Length)
        {
            NoteCut(order, position, offset, length, name);
        }

        Refer(offset, length, 1);
        _metadata.Add((offset & ~(Geometry.ClusterSize - 1L), offset + length));
        return true;
    }

    /// <summary>Notes a structure of which the end is not in the file, because the file ends inside its last cluster.</summary>
    internal void NoteCut(FindingOrder order, long position, long offset, long length, string name)
    {
        HasCutMetadata = true;
        Log.Add(order with { Minor = order.Minor + 50 }, Qcow2CheckSeverity.Warning, 1, () => new Qcow2CheckFinding
        {
            Kind = Qcow2CheckFindingKind.PastEndOfFile,
            Offset = position,
            Cluster = offset >> Geometry.ClusterBits,
            Table = name,
            Found = (ulong)offset,
            Message = $"The file ends at 0x{Image.Length:x}, inside {name} at 0x{offset:x}, which is {length} bytes long: the rest is lost.",
        });
    }

    /// <summary>
    /// Notes clusters that a damaged entry may still need. They count as no reference, as in <c>qemu-img check</c>, but a repair
    /// must not free them.
    /// </summary>
    internal void Keep(long offset, long length)
    {
        lock (_kept)
        {
            for (long cluster = offset >> Geometry.ClusterBits; cluster <= (offset + length - 1) >> Geometry.ClusterBits && cluster < Clusters; cluster++)
            {
                if (_kept.Count < MostKept)
                {
                    _kept.Add(cluster);
                }
                else
                {
                    KeepsAll = true;
                    return;
                }
            }
        }
    }

    /// <summary>Whether there is any cluster that nothing refers to and that must not be freed.</summary>
    internal bool HasKept => KeepsAll || _kept.Count > 0;

    /// <summary>Whether a cluster that nothing refers to must not be freed.</summary>
    internal bool IsKept(long cluster) => KeepsAll || _kept.Contains(cluster);

    /// <summary>Whether something else than its owners uses a cluster of a structure in the file.</summary>
    internal bool IsShared(long offset, long length, long owners)
    {
        // What is past the end of the file was not counted.
        long last = Math.Min(Clusters, (offset + length - 1) >> Geometry.ClusterBits);
        for (long cluster = offset >> Geometry.ClusterBits; cluster <= last; cluster++)
        {
            if (References[cluster] > owners)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Notes that something is said to lie past the end of the file: what is put there would be taken for it.</summary>
    internal void NotePastEnd(long offset, long length)
    {
        lock (_pastEnd)
        {
            if (_pastEnd.Count <= MostPastEnd)
            {
                _pastEnd.Add((offset, length));
            }
        }
    }

    /// <summary>Whether anything is said to lie past the end of the file.</summary>
    internal bool HasClaims => _pastEnd.Count > 0;

    /// <summary>Whether nothing is said to lie in a range past the end of the file.</summary>
    internal bool IsUnclaimed(long start, long end) => ClaimEnd(start, end) is null;

    /// <summary>Where something ends that is said to lie in a range past the end of the file; null if nothing is.</summary>
    internal long? ClaimEnd(long start, long end)
    {
        if (_pastEnd.Count > MostPastEnd)
        {
            return long.MaxValue - Geometry.ClusterSize;
        }

        long? last = null;
        foreach ((long offset, long length) in _pastEnd)
        {
            if (offset < end && offset + length > start)
            {
                last = Math.Max(last ?? 0, offset + length);
            }
        }

        return last;
    }

    internal void NoteWrongCopiedFlag(long weight) => Interlocked.Add(ref _wrongCopiedFlags, weight);

    internal static string Capital(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text.Substring(1);
}
