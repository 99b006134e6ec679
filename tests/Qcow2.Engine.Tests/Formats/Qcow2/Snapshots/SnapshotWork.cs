using Qcow2.Engine.Format;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;

/// <summary>Random operations on an image's disk and its snapshots, which keep a model alike.</summary>
internal sealed class SnapshotWork(Qcow2Image image, SnapshotModel model, Random random)
{
    private int _names = random.Next(1 << 20);

    internal SnapshotModel Model { get; private set; } = model;

    /// <summary>Creates, applies, deletes or renames a snapshot.</summary>
    /// <returns>Does it again, after it failed.</returns>
    internal Action SnapshotStep(int mostSnapshots = 5)
    {
        int count = image.Snapshots.Count;
        int choice = count == 0 ? 0 : count >= mostSnapshots ? random.Next(3, 10) : random.Next(10);
        SnapshotTableEntry chosen = count == 0 ? new SnapshotTableEntry() : image.Snapshots[random.Next(count)];
        string name = $"näme {_names++}";
        switch (choice)
        {
            case < 5 when count < mostSnapshots:
                return () =>
                {
                    byte[] content = Model.Disk;
                    SnapshotTableEntry created = image.CreateSnapshot(name);
                    Model = Model.With(created.Id, name, content);
                };
            case < 7:
                return () =>
                {
                    image.ApplySnapshot(chosen);
                    Model = Model with { Disk = Model.Snapshots[chosen.Id].Content };
                };
            case < 9:
                return () =>
                {
                    image.DeleteSnapshot(chosen);
                    Model = Model.Without(chosen.Id);
                };
            default:
                return () =>
                {
                    image.RenameSnapshot(chosen, name);
                    Model = Model.With(chosen.Id, name, Model.Snapshots[chosen.Id].Content);
                };
        }
    }

    /// <summary>What the model will be when the step at hand has succeeded.</summary>
    internal SnapshotModel After(Action step)
    {
        step();
        return Model;
    }

    /// <summary>Writes, writes zeros, discards or writes compressed.</summary>
    internal void WriteStep()
    {
        byte[] disk = [.. Model.Disk];
        var writes = new DiskModel(disk, Math.Min(image.Header.ClusterSize, 8192), random.Next(), "");
        (int offset, byte[] data) = writes.NextWrite();
        data = data.Length > 60_000 ? data[..60_000] : data;
        int clusterSize = image.Header.ClusterSize;
        int start = offset / clusterSize * clusterSize;
        int end = (int)Math.Min(disk.Length, (offset + data.Length + (long)clusterSize - 1) / clusterSize * clusterSize);
        switch (random.Next(8))
        {
            case 0:
                Array.Clear(data);
                image.WriteZeroes(offset, data.Length, random.Next(2) == 0);
                break;
            case 1:
                (offset, data) = (start, new byte[end - start]);
                image.Discard(start, end - start);
                if (image.Backing is not null || image.Header.Version < 3)
                {
                    image.WriteZeroes(start, end - start); // There a discard need not read as zeros.
                }

                break;
            case 2 when image.Header.EncryptionMethod == EncryptionMethod.None:
                (offset, data) = (start, disk[start..Math.Min(disk.Length, start + clusterSize)]);
                data.AsSpan(0, data.Length / 2).Fill((byte)random.Next(256));
                image.WriteCompressed(offset, data);
                break;
            default:
                image.Write(offset, data);
                break;
        }

        data.CopyTo(disk, offset);
        Model = Model with { Disk = disk };
    }

    /// <summary>Gives the disk another size.</summary>
    internal void ResizeStep()
    {
        if (image.Header.Version < 3)
        {
            return;
        }

        int size = Math.Max(512, Model.Disk.Length + random.Next(-120_000, 120_000)) & ~511;
        image.Resize(size, allowShrink: true);
        byte[] disk = new byte[size];
        Model.Disk.AsSpan(0, Math.Min(size, Model.Disk.Length)).CopyTo(disk);
        Model = Model with { Disk = disk };
    }

    internal void AssertEqual(string label)
    {
        var found = SnapshotModel.Read(image);
        Assert.True(Model.Disk.AsSpan().SequenceEqual(found.Disk), $"{label}: the disk differs.");
        Assert.True(Model.HasSameSnapshots(found), $"{label}: the snapshots differ.");
    }
}
