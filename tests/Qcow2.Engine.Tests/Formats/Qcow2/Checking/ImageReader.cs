namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Reads what can be read of a damaged image.</summary>
internal static class ImageReader
{
    /// <summary>All that could be read before reads the same.</summary>
    internal static void AssertSame(List<byte[]?>? before, List<byte[]?>? after)
    {
        for (int i = 0; before is not null && i < before.Count; i++)
        {
            if (before[i] is byte[] cluster)
            {
                Assert.True(after?[i] is byte[] now && cluster.AsSpan().SequenceEqual(now), $"Cluster {i} of {before.Count} changed.");
            }
        }
    }

    /// <summary>Every cluster of every disk; null for one that cannot be read, or for all if the image cannot be opened.</summary>
    internal static List<byte[]?>? Read(byte[] file)
    {
        try
        {
            using var image = Qcow2Image.Open(new MemoryStorage(file), new Qcow2OpenOptions { References = ReferencePolicy.Forbid });
            var clusters = new List<byte[]?>();
            ReadDisk(image, image.Header.ClusterSize, clusters);
            foreach (var snapshot in image.Snapshots.Take(3))
            {
                if (snapshot.Problem is not null)
                {
                    break; // Those behind it may have another place after a repair.
                }

                using VirtualDisk disk = image.OpenSnapshot(snapshot);
                ReadDisk(disk, image.Header.ClusterSize, clusters);
            }

            return clusters;
        }
        catch (Qcow2Exception)
        {
            return null;
        }
    }

    private static void ReadDisk(VirtualDisk disk, int clusterSize, List<byte[]?> clusters)
    {
        for (long offset = 0; offset < Math.Min(disk.Length, 64L * clusterSize); offset += clusterSize)
        {
            byte[] cluster = new byte[Math.Min(clusterSize, disk.Length - offset)];
            try
            {
                disk.Read(offset, cluster);
                clusters.Add(cluster);
            }
            catch (Qcow2Exception)
            {
                clusters.Add(null);
            }
        }
    }
}
