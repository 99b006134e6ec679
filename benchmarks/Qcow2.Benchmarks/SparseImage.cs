using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Qcow2.Benchmarks;

/// <summary>
/// Writes a version 3 image of 1 TiB whose guest wrote 4 KiB at 100,000 random places, in random order: each made a
/// cluster of 64 KiB, next to the one before it in the file and far from it on the disk; nearly every L2 table exists.
/// The rest of each cluster is zeros that were written, not a hole: in a file with many holes qemu-img looks for them, and
/// the two would not do the same work.
/// </summary>
internal static class SparseImage
{
    private const int ClusterBits = 16;
    private const int ClusterSize = 1 << ClusterBits;
    private const long DiskSize = 1L << 40;
    private const int DataClusters = 100_000;
    private const int BytesWritten = 4096;
    private const int EntriesPerTable = ClusterSize / sizeof(ulong);
    private const int Tables = (int)(DiskSize / ClusterSize / EntriesPerTable);
    private const int RefcountsPerBlock = ClusterSize / sizeof(ushort);
    private const ulong Copied = 1UL << 63;

    // Clusters of the file, in order: header, refcount table, refcount blocks, L1 table, L2 tables and data as they come.
    private const int RefcountTableCluster = 1;
    private const int RefcountBlocks = 4;
    private const int L1Cluster = RefcountTableCluster + 1 + RefcountBlocks;

    internal static void Write(string path)
    {
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var random = new Random(20_240_229); // The same image every time.
        byte[] cluster = new byte[ClusterSize];
        ulong[] l1 = new ulong[Tables];
        ulong[]?[] l2 = new ulong[]?[Tables];
        int nextCluster = L1Cluster + 1;

        for (int i = 0; i < DataClusters;)
        {
            long guestCluster = random.NextInt64(DiskSize / ClusterSize);
            int table = (int)(guestCluster / EntriesPerTable);
            if (l2[table] is null)
            {
                l2[table] = new ulong[EntriesPerTable];
                l1[table] = Copied | Offset(nextCluster++);
            }

            ref ulong entry = ref l2[table]![guestCluster % EntriesPerTable];
            if (entry == 0)
            {
                Span<byte> written = cluster.AsSpan(random.Next(ClusterSize / BytesWritten) * BytesWritten, BytesWritten);
                random.NextBytes(written);
                WriteAt(file, Offset(nextCluster), cluster);
                written.Clear();
                entry = Copied | Offset(nextCluster++);
                i++;
            }
        }

        for (int table = 0; table < Tables; table++)
        {
            if (l2[table] is ulong[] entries)
            {
                WriteAt(file, l1[table] & ~Copied, BigEndian(entries));
            }
        }

        WriteAt(file, Offset(L1Cluster), BigEndian(l1));
        WriteRefcounts(file, nextCluster);
        WriteAt(file, 0, Header());
        file.SetLength((long)nextCluster * ClusterSize);
    }

    private static void WriteRefcounts(FileStream file, int clusters)
    {
        if (clusters > RefcountBlocks * RefcountsPerBlock)
        {
            throw new InvalidOperationException($"{clusters} clusters need more than {RefcountBlocks} refcount blocks.");
        }

        ulong[] table = new ulong[RefcountBlocks];
        for (int block = 0; block < RefcountBlocks; block++)
        {
            table[block] = Offset(RefcountTableCluster + 1 + block);
        }

        ushort[] counts = new ushort[RefcountBlocks * RefcountsPerBlock];
        counts.AsSpan(0, clusters).Fill(BinaryPrimitives.ReverseEndianness((ushort)1));
        WriteAt(file, Offset(RefcountTableCluster), BigEndian(table));
        WriteAt(file, Offset(RefcountTableCluster + 1), MemoryMarshal.AsBytes(counts.AsSpan()));
    }

    private static byte[] Header()
    {
        byte[] header = new byte[104 + 8]; // The last eight bytes end the list of extensions.
        Span<byte> at = header;
        BinaryPrimitives.WriteUInt32BigEndian(at, 0x514649fb);
        BinaryPrimitives.WriteUInt32BigEndian(at[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(at[20..], ClusterBits);
        BinaryPrimitives.WriteUInt64BigEndian(at[24..], (ulong)DiskSize);
        BinaryPrimitives.WriteUInt32BigEndian(at[36..], Tables);
        BinaryPrimitives.WriteUInt64BigEndian(at[40..], Offset(L1Cluster));
        BinaryPrimitives.WriteUInt64BigEndian(at[48..], Offset(RefcountTableCluster));
        BinaryPrimitives.WriteUInt32BigEndian(at[56..], 1);
        BinaryPrimitives.WriteUInt32BigEndian(at[96..], 4);
        BinaryPrimitives.WriteUInt32BigEndian(at[100..], 104);
        return header;
    }

    private static ulong Offset(int cluster) => (ulong)cluster << ClusterBits;

    private static ReadOnlySpan<byte> BigEndian(ulong[] entries)
    {
        ulong[] stored = new ulong[entries.Length];
        BinaryPrimitives.ReverseEndianness(entries, stored);
        return MemoryMarshal.AsBytes(stored.AsSpan());
    }

    private static void WriteAt(FileStream file, ulong offset, ReadOnlySpan<byte> bytes)
        => RandomAccess.Write(file.SafeFileHandle, bytes, (long)offset);
}
