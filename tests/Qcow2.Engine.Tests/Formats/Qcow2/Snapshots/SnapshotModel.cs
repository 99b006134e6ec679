using Qcow2.Engine.Tests.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>What an image must hold: its disk, and the name and content of each snapshot by its id.</summary>
internal sealed record SnapshotModel(byte[] Disk, IReadOnlyDictionary<string, (string Name, byte[] Content)> Snapshots)
{
    internal static SnapshotModel Read(Qcow2Image image) => new(
        DiskModel.ReadAll(image),
        image.Snapshots.ToDictionary(snapshot => snapshot.Id, snapshot => (snapshot.Name, DiskModel.ReadAll(image.OpenSnapshot(snapshot)))));

    internal SnapshotModel With(string id, string name, byte[] content)
    {
        Dictionary<string, (string, byte[])> snapshots = Copy();
        snapshots[id] = (name, content);
        return this with { Snapshots = snapshots };
    }

    internal SnapshotModel Without(string id)
    {
        Dictionary<string, (string, byte[])> snapshots = Copy();
        snapshots.Remove(id);
        return this with { Snapshots = snapshots };
    }

    internal bool HasSameSnapshots(SnapshotModel other)
        => Snapshots.Count == other.Snapshots.Count && Snapshots.All(pair
            => other.Snapshots.TryGetValue(pair.Key, out (string Name, byte[] Content) found)
                && found.Name == pair.Value.Name && found.Content.AsSpan().SequenceEqual(pair.Value.Content));

    internal bool IsSame(SnapshotModel other) => Disk.AsSpan().SequenceEqual(other.Disk) && HasSameSnapshots(other);

    private Dictionary<string, (string, byte[])> Copy() => Snapshots.ToDictionary(pair => pair.Key, pair => pair.Value);
}
