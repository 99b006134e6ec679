using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>The bitmaps extension and the directory it points to.</summary>
public static partial class HostileImageCases
{
    // Fields of the extension, from its type on, and of a directory entry (spec: "Bitmaps extension", "Bitmap directory").
    private const int NbBitmaps = 8;
    private const int BitmapsReserved = 12;
    private const int DirectorySize = 16;
    private const int DirectoryOffset = 24;
    private const int BitmapTableOffset = 0;
    private const int BitmapTableSize = 8;
    private const int BitmapFlags = 12;
    private const int BitmapType = 16;
    private const int BitmapGranularity = 17;
    private const int BitmapNameSize = 18;
    private const int BitmapExtraSize = 20;

    private static IEnumerable<HostileImageCase> Bitmaps()
    {
        int end = WithBitmap().Bytes.Length;
        foreach (int length in (int[])[0, 16, 23, 25, 32])
        {
            yield return new(
                $"bitmaps extension of {length} bytes",
                () => new ImageBuilder { AutoclearFeatures = 1, Extensions = [(ExtensionType.Bitmaps, BitmapsExtension(length))] }.Build().Bytes,
                HostileStage.Bitmaps, Qcow2ErrorCode.ImageCorrupt, ["bitmaps", Text((ulong)length)], QemuVerdict.RefusesToOpen);
        }

        yield return BitmapsField("nb_bitmaps 0", (image, at) => image.SetU32(at + NbBitmaps, 0), Qcow2ErrorCode.ImageCorrupt, "nb_bitmaps", "0");
        foreach (uint count in (uint[])[65_536, 0xffff_ffff])
        {
            yield return BitmapsField(
                $"nb_bitmaps {count}", (image, at) => image.SetU32(at + NbBitmaps, count), Qcow2ErrorCode.LimitExceeded, "nb_bitmaps", Text(count));
        }

        yield return BitmapsField("nb_bitmaps is one more than there are", (image, at) => image.SetU32(at + NbBitmaps, 2), Qcow2ErrorCode.ImageCorrupt);
        yield return BitmapsField("nb_bitmaps at the limit in a small directory", (image, at) => image.SetU32(at + NbBitmaps, 65_535), Qcow2ErrorCode.ImageCorrupt);
        yield return BitmapsField("bitmaps extension's reserved field is set", (image, at) => image.SetU32(at + BitmapsReserved, 1), Qcow2ErrorCode.ImageCorrupt, "reserved");
        foreach (ulong offset in (ulong[])[1, 512])
        {
            yield return BitmapsField(
                $"bitmap_directory_offset {Hex((long)offset)}", (image, at) => image.SetU64(at + DirectoryOffset, offset),
                Qcow2ErrorCode.ImageCorrupt, "bitmap_directory_offset", Hex((long)offset));
        }

        yield return BitmapsField(
            "bitmap_directory_offset 2^63", (image, at) => image.SetU64(at + DirectoryOffset, 1UL << 63), Qcow2ErrorCode.LimitExceeded, "bitmap_directory_offset");
        yield return BitmapsField(
            "bitmap directory at the end of the file", (image, at) => image.SetU64(at + DirectoryOffset, (ulong)end), Qcow2ErrorCode.ImageCorrupt, Hex(end));
        foreach (ulong size in (ulong[])[0, 8, 31, 40])
        {
            yield return BitmapsField($"bitmap_directory_size {size}", (image, at) => image.SetU64(at + DirectorySize, size), Qcow2ErrorCode.ImageCorrupt);
        }

        yield return BitmapsField(
            "bitmap_directory_size runs past the end", (image, at) => image.SetU64(at + DirectorySize, 1 << 20), Qcow2ErrorCode.ImageCorrupt);
        foreach (ulong size in (ulong[])[1UL << 32, 1UL << 63, ulong.MaxValue])
        {
            yield return BitmapsField(
                $"bitmap_directory_size {size}", (image, at) => image.SetU64(at + DirectorySize, size), Qcow2ErrorCode.LimitExceeded, "bitmap_directory_size");
        }

        foreach (ulong offset in (ulong[])[1, 512])
        {
            yield return BitmapEntry(
                $"bitmap_table_offset {Hex((long)offset)}", (image, at) => image.SetU64(at + BitmapTableOffset, offset),
                Qcow2ErrorCode.ImageCorrupt, "bitmap_table_offset", Hex((long)offset));
        }

        yield return BitmapEntry(
            "bitmap_table_size past the limit", (image, at) => image.SetU32(at + BitmapTableSize, 0xffff_ffff), Qcow2ErrorCode.LimitExceeded, "bitmap_table_size");
        yield return BitmapEntry("bitmap with a reserved flag", (image, at) => image.SetU32(at + BitmapFlags, 8), Qcow2ErrorCode.ImageCorrupt, "flags", "0x8");
        foreach (byte type in (byte[])[0, 2])
        {
            yield return BitmapEntry(
                $"bitmap of type {type}", (image, at) => image.SetU8(at + BitmapType, type), Qcow2ErrorCode.UnsupportedFeature, "type", Text(type));
        }

        foreach (byte bits in (byte[])[0, 8, 32, 255])
        {
            yield return BitmapEntry(
                $"bitmap granularity_bits {bits}", (image, at) => image.SetU8(at + BitmapGranularity, bits),
                Qcow2ErrorCode.LimitExceeded, "granularity_bits", Text(bits));
        }

        foreach (ushort length in (ushort[])[0, 1024, 0xffff])
        {
            yield return BitmapEntry(
                $"bitmap name_size {length}", (image, at) => image.SetU16(at + BitmapNameSize, length), Qcow2ErrorCode.ImageCorrupt, "name_size", Text(length));
        }

        yield return BitmapEntry("bitmap name runs past the directory", (image, at) => image.SetU16(at + BitmapNameSize, 100), Qcow2ErrorCode.ImageCorrupt, "name_size");
        foreach (uint length in (uint[])[0x8000_0000, 0xffff_ffff])
        {
            yield return BitmapEntry(
                $"bitmap extra_data_size {length}", (image, at) => image.SetU32(at + BitmapExtraSize, length),
                Qcow2ErrorCode.ImageCorrupt, "extra_data_size", Text(length));
        }

        yield return Accepted("bitmaps bit without the extension", () => new ImageBuilder { AutoclearFeatures = 1 }.Build());
        yield return Accepted(
            "broken bitmaps extension without the bit",
            () => WithBitmap().SetU64(HeaderOffset.AutoclearFeatures, 0).SetU64(WithBitmap().ExtensionOffset(ExtensionType.Bitmaps) + DirectoryOffset, 1));
    }

    private static BuiltImage WithBitmap() => new ImageBuilder { Bitmaps = [new("bitmap")] }.Build();

    private static byte[] BitmapsExtension(int length)
    {
        byte[] data = new byte[24];
        BinaryPrimitives.WriteUInt32BigEndian(data, 1);
        Array.Resize(ref data, length);
        return data;
    }

    private static HostileImageCase BitmapsField(string name, Func<BuiltImage, int, BuiltImage> change, Qcow2ErrorCode code, params string[] fragments)
        => BadBitmaps(name, image => change(image, image.ExtensionOffset(ExtensionType.Bitmaps)), code, fragments);

    private static HostileImageCase BitmapEntry(string name, Func<BuiltImage, int, BuiltImage> change, Qcow2ErrorCode code, params string[] fragments)
        => BadBitmaps(name, image => change(image, image.BitmapEntryOffsets[0]), code, fragments);

    private static HostileImageCase BadBitmaps(string name, Func<BuiltImage, BuiltImage> change, Qcow2ErrorCode code, string[] fragments)
        => new(name, () => change(WithBitmap()).Bytes, HostileStage.Bitmaps, code, fragments, QemuVerdict.RefusesToOpen);
}
