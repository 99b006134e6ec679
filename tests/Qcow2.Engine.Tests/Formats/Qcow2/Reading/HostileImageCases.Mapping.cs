using System.IO.Compression;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>L1 and L2 entries, and compressed data. The rest of each image is sound, so it opens.</summary>
public static partial class HostileImageCases
{
    private const ulong Copied = 1UL << 63;
    private const ulong Compressed = 1UL << 62;

    /// <summary>Where the number of further sectors begins in a compressed descriptor, with clusters of 4 KiB.</summary>
    private const int SectorsShift = 58;

    private static IEnumerable<HostileImageCase> Mapping()
    {
        foreach (ulong offset in (ulong[])[0x200, 0x4200, 0x4e00])
        {
            yield return Unreadable(
                $"L1 entry {Hex((long)offset)} is misaligned", () => Changed(image => image.SetU64(image.L1Offset, offset | Copied)), 0, Hex((long)offset));
        }

        foreach (ulong offset in (ulong[])[0x7000, 1UL << 40, 0x00ff_ffff_ffff_f000])
        {
            yield return UnreadableByUs(
                $"L1 entry {Hex((long)offset)} is past the end", () => Changed(image => image.SetU64(image.L1Offset, offset | Copied)), 0, Hex((long)offset));
        }

        yield return UnreadableByUs(
            "file ends inside the L2 table", () => Truncated(image => image.L2Offset + 2048), 0, "L2 table");
        yield return Accepted("reserved bits of an L1 entry", () => Changed(image => image.FlipU64(image.L1Offset, 0x7f00_0000_0000_01ff)));

        foreach (ulong offset in (ulong[])[0x200, 0x5200, 0x5e00])
        {
            yield return Unreadable(
                $"L2 entry {Hex((long)offset)} is misaligned", () => Changed(image => image.SetU64(image.L2EntryOffset(1), offset | Copied)), 4096, Hex((long)offset));
        }

        foreach (ulong offset in (ulong[])[0x7000, 1UL << 40, 0x00ff_ffff_ffff_f000])
        {
            yield return UnreadableByUs(
                $"L2 entry {Hex((long)offset)} is past the end", () => Changed(image => image.SetU64(image.L2EntryOffset(1), offset | Copied)), 4096, Hex((long)offset));
        }

        yield return Accepted("reserved bits of an L2 entry", () => Changed(image => image.FlipU64(image.L2EntryOffset(1), 0x3f00_0000_0000_01fe))) with
        {
            ReadOffset = 4096,
            Sector = ImageBuilder.Content(4096, 512),
        };
        yield return Accepted("the sound neighbour of a broken L2 entry", () => Changed(image => image.SetU64(image.L2EntryOffset(1), 0x5200))) with
        {
            Sector = ImageBuilder.Content(0, 512),
        };
        yield return Accepted("file ends inside the last data cluster", () => Truncated(image => image.DataOffsets[1] + 512)) with
        {
            ReadOffset = 4096,
            Sector = ImageBuilder.Content(4096, 512),
        };
        yield return Accepted("sector past the end in the last data cluster", () => Truncated(image => image.DataOffsets[1] + 512)) with
        {
            ReadOffset = 4096 + 1024,
            Sector = new byte[512],
        };
        yield return UnreadableByUs("file ends before the last data cluster", () => Truncated(image => image.DataOffsets[1]), 4096, "0x6000");
        yield return Unreadable(
            "zero flag in version 2",
            () =>
            {
                BuiltImage image = new ImageBuilder { Version = 2 }.Build();
                return image.FlipU64(image.L2EntryOffset(1), 1);
            },
            4096);
        yield return Accepted("zero flag hides an offset past the end", () => Changed(image => image.SetU64(image.L2EntryOffset(1), 0x100001))) with
        {
            ReadOffset = 4096,
            Sector = new byte[512],
        };

        // Tables that point at each other must not lead anywhere but to an answer.
        yield return Accepted("L2 table is the L1 table", () => Changed(image => image.SetU64(image.L1Offset, (uint)image.L1Offset | Copied)));
        yield return Accepted("data cluster is the header", () => Changed(image => image.SetU64(image.L2EntryOffset(0), (ulong)image.L2Offset)));

        foreach (HostileImageCase hostile in CompressedData())
        {
            yield return hostile;
        }
    }

    private static IEnumerable<HostileImageCase> CompressedData()
    {
        byte[] content = ImageBuilder.Content(0, Cluster);
        byte[] stream = Deflate(content);
        byte[] first = content[..512];

        yield return Accepted("compressed", () => Packed(stream)) with { Sector = first };
        foreach (ulong offset in (ulong[])[0x100000, 1UL << 40, (1UL << SectorsShift) - 512])
        {
            yield return Unreadable(
                $"compressed data at {Hex((long)offset)} is past the end", () => Descriptor(Packed(stream), offset, 7), 0, Hex((long)offset));
        }

        yield return Accepted(
            "compressed data claims sectors past the end",
            () =>
            {
                BuiltImage image = Packed(stream);
                int data = image.DataOffsets[0];
                return Descriptor(image, (ulong)data, 7).Truncate(data + stream.Length);
            }) with
        {
            Sector = first,
        };
        yield return UnreadableByUs(
            "file ends inside a compressed stream",
            () =>
            {
                BuiltImage image = Packed(stream);
                return image.Truncate(image.DataOffsets[0] + (stream.Length / 2));
            },
            0);
        yield return Unreadable("compressed stream is rubbish", () => Packed([.. Enumerable.Repeat((byte)0xff, 300)]), 0);
        yield return Unreadable("compressed stream is zeros", () => Packed(new byte[300]), 0);
        yield return Unreadable("compressed stream ends too early", () => Packed(Deflate(content[..2048])), 0);
        yield return Unreadable("compressed stream is empty", () => Packed(Deflate([])), 0);
        yield return Unreadable("compressed stream has a zlib header", () => Packed([0x78, 0x9c, .. stream]), 0);
        yield return Accepted("compressed stream goes on past the cluster", () => Packed(Deflate([.. content, .. new byte[1 << 20]]))) with { Sector = first };
        byte[] noise = new byte[Cluster];
        new Random(1).NextBytes(noise);
        byte[] stored = Deflate(noise);
        yield return Unreadable(
            "compressed stream is longer than its sectors",
            () =>
            {
                BuiltImage image = Packed(stored[..Cluster]);
                return Descriptor(image, (ulong)image.DataOffsets[0], 2);
            },
            0);

        yield return Unreadable("zstd stream is rubbish", () => Packed([.. Enumerable.Repeat((byte)0xff, 300)], type: 1), 0);
        yield return Unreadable("zstd stream is a deflate stream", () => Packed(stream, type: 1), 0);
        yield return Unreadable("zstd frame ends too early", () => Packed(ZstdRawFrame(content[..2048]), type: 1), 0);
        yield return Accepted("zstd frame with a raw block", () => Packed(ZstdRawFrame(content), type: 1)) with { Sector = first };
        yield return Accepted(
            "zstd frames one after the other", () => Packed([.. ZstdRawFrame(content[..2048]), .. ZstdRawFrame(content[2048..])], type: 1)) with
        {
            ReadOffset = 2048,
            Sector = content[2048..2560],
        };

        // 0xfd2fb528, a window of 2^41 bytes: an allocation by a lie.
        yield return Unreadable(
            "zstd frame asks for an enormous window", () => Packed([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00], type: 1), 0);
        yield return Accepted(
            "copied flag on a compressed cluster",
            () =>
            {
                BuiltImage image = Packed(stream);
                return image.FlipU64(image.L2EntryOffset(0), Copied);
            }) with
        {
            Sector = first,
        };
    }

    private static BuiltImage Packed(byte[] stream, byte type = 0)
        => new ImageBuilder { DataClusters = 0, CompressedStreams = [stream], CompressionType = type }.Build();

    private static BuiltImage Descriptor(BuiltImage image, ulong offset, ulong furtherSectors)
        => image.SetU64(image.L2EntryOffset(0), Compressed | (furtherSectors << SectorsShift) | offset);

    private static byte[] Deflate(byte[] content)
    {
        var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            deflate.Write(content);

            // Without this an empty stream would have no bytes at all.
            deflate.Flush();
        }

        return packed.ToArray();
    }

    /// <summary>A zstd frame (RFC 8878) with one raw block, its size in the header and no checksum.</summary>
    private static byte[] ZstdRawFrame(byte[] content)
    {
        int size = content.Length - 256;
        int block = (content.Length << 3) | 1;
        return [0x28, 0xb5, 0x2f, 0xfd, 0x60, (byte)size, (byte)(size >> 8), (byte)block, (byte)(block >> 8), (byte)(block >> 16), .. content];
    }
}
