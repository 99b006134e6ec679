using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Qcow2.Engine.Tests.Formats.Qcow1;

/// <summary>QCOW images of version 1 by hand.</summary>
internal static class Qcow1Builder
{
    internal const int ClusterBits = 12;
    internal const int L2Bits = 6;
    internal const int ClusterSize = 1 << ClusterBits;

    /// <summary>Where the L1 table lies.</summary>
    internal const int L1Offset = 512;

    /// <summary>Where the first L2 table lies.</summary>
    internal const int L2Offset = 4096;

    /// <summary>An image whose clusters are none ('-'), data ('d') or compressed ('c'), and the disk that it shows over zeros.</summary>
    internal static (byte[] File, byte[] Disk) Build(string clusters, int size, int seed = 1, string? backing = null)
    {
        var random = new Random(seed);
        var file = new List<byte>(new byte[L2Offset]);
        byte[] disk = new byte[clusters.Length * ClusterSize];
        int perTable = 1 << L2Bits;
        ulong[] l1 = new ulong[(clusters.Length + perTable - 1) / perTable];
        ulong[] entries = new ulong[l1.Length * perTable];
        for (int table = 0; table < l1.Length; table++)
        {
            if (clusters.Skip(table * perTable).Take(perTable).Any(kind => kind != '-'))
            {
                l1[table] = (ulong)file.Count;
                file.AddRange(new byte[perTable * 8]);
            }
        }

        for (int i = 0; i < clusters.Length; i++)
        {
            byte[] content = new byte[ClusterSize];
            random.NextBytes(content.AsSpan(0, clusters[i] == 'c' ? 1000 : ClusterSize));
            if (clusters[i] == 'd')
            {
                file.AddRange(new byte[-file.Count & 511]);
                entries[i] = (ulong)file.Count;
                file.AddRange(content);
            }
            else if (clusters[i] == 'c')
            {
                byte[] compressed = Deflated(content);
                entries[i] = (1UL << 63) | ((ulong)compressed.Length << (63 - ClusterBits)) | (uint)file.Count;
                file.AddRange(compressed);
            }

            if (clusters[i] != '-')
            {
                content.CopyTo(disk, i * ClusterSize);
            }
        }

        byte[] bytes = [.. file];
        Convert.FromHexString("514649fb00000001").CopyTo(bytes, 0);
        if (backing is not null)
        {
            Encoding.UTF8.GetBytes(backing).CopyTo(bytes, 256);
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), 256);
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(16), (uint)backing.Length);
        }

        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(24), (ulong)size);
        bytes[32] = ClusterBits;
        bytes[33] = L2Bits;
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(40), L1Offset);
        for (int table = 0; table < l1.Length; table++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(L1Offset + (table * 8)), l1[table]);
            for (int i = 0; i < perTable && l1[table] != 0; i++)
            {
                BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan((int)l1[table] + (i * 8)), entries[(table * perTable) + i]);
            }
        }

        return (bytes, disk[..size]);
    }

    private static byte[] Deflated(byte[] content)
    {
        using var bytes = new MemoryStream();
        using (var deflate = new DeflateStream(bytes, CompressionLevel.Optimal))
        {
            deflate.Write(content);
        }

        return bytes.ToArray();
    }
}
