using Qcow2.Engine;

namespace Qcow2.Benchmarks;

/// <summary>One process's worth of <c>qemu-img snapshot</c>.</summary>
internal static class SnapshotCommands
{
    private static readonly Qcow2OpenOptions Writable = new() { Writable = true };

    internal static void Create(string path, string name)
    {
        using var image = Qcow2Image.Open(path, Writable);
        image.CreateSnapshot(name);
    }

    internal static void Apply(string path, string name)
    {
        using var image = Qcow2Image.Open(path, Writable);
        image.ApplySnapshot(image.FindSnapshot(name));
    }

    internal static void Delete(string path, string name)
    {
        using var image = Qcow2Image.Open(path, Writable);
        image.DeleteSnapshot(image.FindSnapshot(name));
    }
}
