using System.IO.Compression;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>An image that takes minutes to read, in a small file: every cluster of its 512 GiB is the same compressed one.</summary>
internal static class SlowImage
{
    private const int ClusterSize = 2 << 20;

    internal static void Write(string path)
    {
        var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(new byte[ClusterSize]);
        }

        BuiltImage image = new ImageBuilder
        {
            ClusterBits = 21,
            Size = 512UL << 30,
            DataClusters = 0,
            CompressedStreams = [packed.ToArray()],
            CompressedContents = [new byte[ClusterSize]],
        }.Build();
        for (int done = image.L2EntrySize; done < ClusterSize; done *= 2)
        {
            image.Overwrite(image.L2Offset + done, image.Bytes.AsSpan(image.L2Offset, done).ToArray());
        }

        File.WriteAllBytes(path, image.Bytes);
    }
}
