using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <content>All that can be done to a disk, and what it must hold then.</content>
internal sealed partial class DiskModel
{
    private const int MostBytes = 16 << 20;

    /// <summary>Does one thing at random.</summary>
    internal void Step(Qcow2Image image, bool canResize) => NextOperation(image, canResize)();

    /// <summary>
    /// Chooses one thing to do: to write, zero, discard, compress, read, flush or, where allowed, resize. The model holds at
    /// once what the disk must hold when it is done; it can be done again if it failed.
    /// </summary>
    internal Action NextOperation(Qcow2Image image, bool canResize) => Random.Next(100) switch
    {
        < 40 => NextWrite(image),
        < 52 => NextZeroes(image),
        < 62 => NextDiscard(image),
        < 72 when CanCompress(image) => NextCompressed(image),
        < 75 when canResize => NextResize(image, NextSize()),
        < 81 => image.Flush,
        _ => () => ReadSome(image),
    };

    internal static bool CanCompress(Qcow2Image image)
        => image.Header.EncryptionMethod == EncryptionMethod.None && !image.Header.Has(IncompatibleFeatures.ExternalDataFile);

    /// <summary>Makes a range zero, keeping its clusters or giving them up.</summary>
    private Action NextZeroes(VirtualDisk disk)
    {
        (int offset, int length) = NextRange();
        bool keeps = Random.Next(2) == 0;
        Content.AsSpan(offset, length).Clear();
        return () => disk.WriteZeroes(offset, length, keeps);
    }

    /// <summary>Gives up a range. Only whole clusters go, and none that would let a backing file show through.</summary>
    internal Action NextDiscard(Qcow2Image image)
    {
        (int offset, int length) = NextRange();
        ForgetDiscarded(image, offset, length);
        return () => image.Discard(offset, length);
    }

    private Action NextWrite(VirtualDisk disk)
    {
        (int offset, byte[] data) = NextWrite();
        data.CopyTo(Content, offset);
        return () => disk.Write(offset, data);
    }

    private void ForgetDiscarded(Qcow2Image image, int offset, int length)
    {
        if (image.Header.Has(AutoclearFeatures.RawExternalData))
        {
            Content.AsSpan(offset, length).Clear();
            return;
        }

        int cluster = image.Header.ClusterSize;
        int end = offset + length == Content.Length ? offset + length : (offset + length) / cluster * cluster;
        for (int start = (offset + cluster - 1) / cluster * cluster; start < end; start += cluster)
        {
            if (image.Header.Version >= 3 || start >= (image.Backing?.Length ?? 0))
            {
                Content.AsSpan(start, Math.Min(cluster, end - start)).Clear();
            }
        }
    }

    /// <summary>Writes a cluster that compresses well, badly or not at all.</summary>
    private Action NextCompressed(Qcow2Image image)
    {
        int cluster = image.Header.ClusterSize;
        int start = Random.Next(Content.Length) / cluster * cluster;
        byte[] data = new byte[Math.Min(cluster, Content.Length - start)];
        int step = Random.Next(1, 200);
        for (int i = 0; i < data.Length; i += Random.Next(1, step + 1))
        {
            data[i] = (byte)Random.Next(256);
        }

        data.CopyTo(Content, start);
        return () => image.WriteCompressed(start, data);
    }

    /// <summary>Changes the disk's size; what is added is zero.</summary>
    internal Action NextResize(Qcow2Image image, int size)
    {
        SetLength(size);
        return () => image.ResizeExactly(size);
    }

    /// <summary>Notes that the disk has another size.</summary>
    internal void SetLength(int size)
    {
        byte[] content = Content;
        Array.Resize(ref content, size);
        Content = content;
    }

    /// <summary>A little or much larger or smaller, whole in clusters, in sectors or in neither.</summary>
    internal int NextSize()
    {
        int size = Random.Next(4) switch
        {
            0 => Content.Length + Random.Next(-4 * _clusterSize, (4 * _clusterSize) + 1),
            1 => Random.Next(1, Math.Max(2, Content.Length)),
            _ => Random.Next(Content.Length, (Content.Length * 3 / 2) + (2 * _clusterSize)),
        };
        size = Random.Next(3) switch
        {
            0 => size,
            1 => (size + 511) & ~511,
            _ => (size + _clusterSize - 1) / _clusterSize * _clusterSize,
        };
        return size < 1 || size > MostBytes ? Math.Min(MostBytes / 4, Math.Max(1, Content.Length / 3)) : size;
    }

    private (int Offset, int Length) NextRange()
    {
        int most = Math.Max(2, Math.Min(Content.Length, Random.Next(3) == 0 ? _clusterSize * 30 : _clusterSize * 3));
        int length = Math.Min(Content.Length, Random.Next(1, most));
        if (Random.Next(2) == 0)
        {
            length = Math.Min(Content.Length, (length + _clusterSize - 1) / _clusterSize * _clusterSize);
        }

        return (NextOffset(length), length);
    }
}
