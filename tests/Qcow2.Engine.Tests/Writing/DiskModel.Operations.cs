using Qcow2.Engine.Format;

namespace Qcow2.Engine.Tests.Writing;

/// <content>All that can be done to a disk, and what it must hold then.</content>
internal sealed partial class DiskModel
{
    private const int MostBytes = 16 << 20;

    /// <summary>Does one thing at random: writes, zeros, discards, compresses, reads, flushes or, where it may, resizes.</summary>
    internal void Step(Qcow2Image image, bool canResize)
    {
        switch (Random.Next(100))
        {
            case < 40:
                WriteSome(image);
                break;
            case < 52:
                ZeroSome(image);
                break;
            case < 62:
                DiscardSome(image);
                break;
            case < 72 when CanCompress(image):
                CompressSome(image);
                break;
            case < 75 when canResize:
                Resize(image, NextSize());
                break;
            case < 81:
                image.Flush();
                break;
            default:
                ReadSome(image);
                break;
        }
    }

    internal static bool CanCompress(Qcow2Image image)
        => image.Header.EncryptionMethod == EncryptionMethod.None && !image.Header.Has(IncompatibleFeatures.ExternalDataFile);

    /// <summary>Makes a range zero, keeping its clusters or giving them up.</summary>
    internal void ZeroSome(VirtualDisk disk)
    {
        (int offset, int length) = NextRange();
        disk.WriteZeroes(offset, length, keepAllocation: Random.Next(2) == 0);
        Content.AsSpan(offset, length).Clear();
    }

    /// <summary>Gives up a range. Only whole clusters go, and none that would let a backing file show through.</summary>
    internal void DiscardSome(Qcow2Image image)
    {
        (int offset, int length) = NextRange();
        image.Discard(offset, length);
        ForgetDiscarded(image, offset, length);
    }

    /// <summary>What a discard leaves of the content.</summary>
    internal void ForgetDiscarded(Qcow2Image image, int offset, int length)
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
    internal void CompressSome(Qcow2Image image)
    {
        int cluster = image.Header.ClusterSize;
        int start = Random.Next(Content.Length) / cluster * cluster;
        byte[] data = new byte[Math.Min(cluster, Content.Length - start)];
        int step = Random.Next(1, 200);
        for (int i = 0; i < data.Length; i += Random.Next(1, step + 1))
        {
            data[i] = (byte)Random.Next(256);
        }

        image.WriteCompressed(start, data);
        data.CopyTo(Content, start);
    }

    /// <summary>Changes the disk's size; what is added is zero.</summary>
    internal void Resize(Qcow2Image image, int size)
    {
        image.Resize(size, allowShrink: true);
        SetLength(size);
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
