using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Snapshots;

/// <summary>
/// The snapshot table (spec: "Snapshots"), as far as it can be read. Nobody needs it to read the active disk, so damage is
/// never thrown: what is wrong with a snapshot is said in its entry, and what is wrong with the table here.
/// </summary>
internal sealed class SnapshotTable
{
    /// <summary>The table of an image without snapshots.</summary>
    internal static SnapshotTable Empty { get; } = new([], null);

    private SnapshotTable(IReadOnlyList<SnapshotTableEntry> entries, string? problem)
    {
        Entries = entries;
        Problem = problem;
    }

    /// <summary>The snapshots, damaged ones included, in the order of the table.</summary>
    internal IReadOnlyList<SnapshotTableEntry> Entries { get; }

    /// <summary>Why there may be more snapshots than <see cref="Entries"/>; null if those are all.</summary>
    internal string? Problem { get; }

    /// <summary>All that is wrong: with the table, and with each of its snapshots that are left.</summary>
    internal IEnumerable<string> ProblemsWith(IReadOnlyList<SnapshotTableEntry> entries)
    {
        if (Problem is not null)
        {
            yield return Problem;
        }

        foreach (SnapshotTableEntry entry in entries.Where(entry => entry.Problem is not null))
        {
            yield return $"Snapshot '{PrintableText.Of(entry.Name)}' (id {PrintableText.Of(entry.Id)}) is damaged: {entry.Problem}";
        }
    }

    /// <summary>Reads the table.</summary>
    internal static SnapshotTable Load(BlockStorage storage, Qcow2Header header)
    {
        if (header.SnapshotCount == 0)
        {
            return Empty;
        }

        var entries = new List<SnapshotTableEntry>();
        string? problem;
        try
        {
            problem = new SnapshotTableReader(storage, header).Read(entries);
        }
        catch (IOException e)
        {
            problem = $"The snapshot table at 0x{header.SnapshotsOffset:x} cannot be read: {e.Message}";
        }

        return new SnapshotTable(entries, problem);
    }

    /// <summary>Fails if there may be snapshots that are not known.</summary>
    /// <exception cref="Qcow2Exception">There may be.</exception>
    internal void EnsureComplete()
    {
        if (Problem is not null)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.SnapshotDamaged,
                $"{Problem} The image can be read, but nothing is written to it while nobody knows what its snapshots need (Repair-Qcow2Image -Mode All).");
        }
    }

    /// <summary>Lays a table out as it lies in the file.</summary>
    /// <exception cref="Qcow2Exception">It passes the limit of entries or of bytes.</exception>
    internal static byte[] ToBytes(IReadOnlyList<SnapshotTableEntry> entries)
    {
        if (entries.Count > Qcow2Limits.MaxSnapshots)
        {
            throw Qcow2Errors.Limit("The number of snapshots", (ulong)entries.Count, Qcow2Limits.MaxSnapshots);
        }

        long length = entries.Sum(entry => (long)entry.TotalLength);
        if (length > Qcow2Limits.MaxSnapshotTableBytes)
        {
            throw Qcow2Errors.Limit("The snapshot table's size", (ulong)length, (ulong)Qcow2Limits.MaxSnapshotTableBytes, "bytes");
        }

        byte[] table = new byte[length];
        int position = 0;
        foreach (SnapshotTableEntry entry in entries)
        {
            entry.Write(table.AsSpan(position));
            position += entry.TotalLength;
        }

        return table;
    }
}
