using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Layering;

/// <summary>Images of random layouts that are layered on each other, with what each of them must show.</summary>
internal sealed class ChainFolder(string folder, Random random)
{
    private int _made;

    internal string Folder => folder;

    internal List<Layer> Layers { get; } = [];

    internal string PathOf(Layer layer) => Path.Combine(folder, layer.File);

    internal Layer Top => Layers[^1];

    /// <summary>Adds an image; on another one, or on none.</summary>
    internal Layer Add(Layer? parent, bool mayBeRaw)
    {
        int length = random.Next(1, 1400) * 512;
        length = parent is not null && random.Next(3) == 0 ? parent.Content.Length : length;
        bool isRaw = mayBeRaw && parent is null && random.Next(3) == 0;
        string name = $"layer{_made++}.{(isRaw ? "raw" : "qcow2")}";
        var layer = new Layer(name, new byte[length], parent);
        parent?.Content.AsSpan(0, Math.Min(length, parent.Content.Length)).CopyTo(layer.Content);
        if (isRaw)
        {
            WriteRaw(layer);
        }
        else
        {
            bool isExtended = random.Next(4) == 0;
            Qcow2Image.CreateFile(PathOf(layer), length, new Qcow2CreateOptions
            {
                Version = !isExtended && random.Next(4) == 0 ? 2 : 3,
                ClusterSize = 1 << (isExtended ? random.Next(14, 18) : random.Next(9, 18)),
                ExtendedL2 = isExtended,
                BackingFile = parent?.File,
                BackingFormat = parent?.Format,
            });
            Write(layer, random.Next(1, 25));
        }

        Layers.Add(layer);
        return layer;
    }

    /// <summary>Data, zeros, discards and compressed clusters, at random.</summary>
    internal void Write(Layer layer, int times)
    {
        using Qcow2Image image = Qcow2Image.Open(PathOf(layer), new Qcow2OpenOptions { Writable = true });
        var model = new DiskModel(layer.Content, Math.Min(image.Header.ClusterSize, 8192), random.Next(), layer.File);
        for (int i = 0; i < times; i++)
        {
            (int offset, byte[] data) = model.NextWrite();
            data = data.Length > 60_000 ? data[..60_000] : data;
            switch (random.Next(6))
            {
                case 0:
                    data.AsSpan().Clear();
                    image.WriteZeroes(offset, data.Length, random.Next(2) == 0);
                    break;
                case 1:
                    int start = offset / image.Header.ClusterSize * image.Header.ClusterSize;
                    byte[] cluster = new byte[Math.Min(image.Header.ClusterSize, image.Length - start)];
                    cluster.AsSpan().Fill((byte)random.Next(256));
                    (offset, data) = (start, cluster);
                    image.WriteCompressed(offset, data);
                    break;
                default:
                    image.Write(offset, data);
                    break;
            }

            data.CopyTo(layer.Content, offset);
        }
    }

    /// <summary>The image itself and what it is layered on.</summary>
    internal static IEnumerable<Layer> ChainOf(Layer layer)
    {
        for (Layer? link = layer; link is not null; link = link.Parent)
        {
            yield return link;
        }
    }

    /// <summary>What a merge makes of the models. Images that are layered on a changed one show whatever that makes of them.</summary>
    internal void Merged(Layer layer, Layer destination, Func<Layer, byte[]> read)
    {
        byte[] content = new byte[Math.Max(layer.Content.Length, destination.Content.Length)];
        destination.Content.CopyTo(content, 0);
        layer.Content.CopyTo(content, 0);
        destination.Content = content;
        foreach (Layer other in Layers.Where(other => other != destination && ChainOf(other).Contains(destination) && !ChainOf(other).Contains(layer)))
        {
            other.Content = read(other);
        }
    }

    /// <summary>Every image is sound and shows what it must, to us and to qemu-img.</summary>
    internal void AssertAll(string label, TempFolder scratch)
    {
        foreach (Layer layer in Layers)
        {
            if (layer.Format == "qcow2")
            {
                (int corruptions, int leaks, string said) = QemuJudge.Check(PathOf(layer));
                Assert.True(corruptions == 0 && leaks == 0, $"{label}: {layer.File}: {said}");
            }

            AssertSame(layer.Content, ReadAll(layer), $"{label}: {layer.File}");
            if (QemuImg.IsAvailable)
            {
                AssertSame(layer.Content, ReadByQemu(layer, scratch), $"{label}: {layer.File} by qemu-img");
            }
        }
    }

    internal byte[] ReadAll(Layer layer)
    {
        using VirtualDisk disk = layer.Format == "raw" ? RawDisk.Open(PathOf(layer)) : Qcow2Image.Open(PathOf(layer));
        return DiskModel.ReadAll(disk);
    }

    internal byte[] ReadByQemu(Layer layer, TempFolder scratch)
        => layer.Format == "raw" ? File.ReadAllBytes(PathOf(layer)) : QemuJudge.Read(PathOf(layer), scratch)!;

    internal static void AssertSame(byte[] expected, byte[] actual, string label)
    {
        Assert.True(expected.Length == actual.Length, $"{label}: {actual.Length} bytes instead of {expected.Length}.");
        int same = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(same == expected.Length, $"{label}: byte 0x{same:x} is wrong.");
    }

    private void WriteRaw(Layer layer)
    {
        // With holes, as a raw disk has them.
        for (int i = random.Next(1, 8); i > 0; i--)
        {
            int start = random.Next(layer.Content.Length);
            random.NextBytes(layer.Content.AsSpan(start, random.Next(1, Math.Min(100_000, layer.Content.Length - start + 1))));
        }

        using var file = new FileStream(PathOf(layer), FileMode.CreateNew);
        file.SetLength(layer.Content.Length);
        for (int start = 0; start < layer.Content.Length; start += 4096)
        {
            ReadOnlySpan<byte> page = layer.Content.AsSpan(start, Math.Min(4096, layer.Content.Length - start));
            if (page.ContainsAnyExcept((byte)0))
            {
                file.Position = start;
                file.Write(page);
            }
        }
    }
}

/// <summary>One image, what it must show, and what it is layered on.</summary>
internal sealed class Layer(string file, byte[] content, Layer? parent)
{
    internal string File { get; } = file;

    internal string Format => System.IO.Path.GetExtension(File)[1..];

    internal byte[] Content { get; set; } = content;

    internal Layer? Parent { get; set; } = parent;
}
