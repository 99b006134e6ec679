using Qcow2.Engine;

namespace Qcow2.Benchmarks.Codecs;

/// <summary>Clusters of a disk that are not zeros, drawn by a fixed rule.</summary>
internal static class CodecSample
{
    internal const int ClusterSize = 65_536;

    private const int MostTries = 20;

    /// <summary>Draws clusters from any disk: by its mark, or else raw.</summary>
    internal static byte[][] Draw(string path, int count)
    {
        DiskFormat format = DiskFormats.Recognize(path).Mark ?? DiskFormats.Raw;
        using VirtualDisk disk = format.Open(path, Qcow2OpenOptions.Default);
        int all = (int)(disk.Length / ClusterSize);
        var random = new Random(1);
        var clusters = new List<byte[]>(count);
        byte[] cluster = new byte[ClusterSize];
        for (int tries = 0; clusters.Count < count && tries < count * MostTries; tries++)
        {
            disk.Read((long)random.Next(all) * ClusterSize, cluster);
            if (cluster.AsSpan().ContainsAnyExcept((byte)0))
            {
                clusters.Add([.. cluster]);
            }
        }

        return clusters.Count > 0 ? [.. clusters] : throw new InvalidDataException($"{path} has nothing but zeros.");
    }
}
