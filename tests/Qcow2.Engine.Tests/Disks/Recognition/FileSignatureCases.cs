using System.Text;

namespace Qcow2.Engine.Tests.Disks.Recognition;

/// <summary>The first and last bytes of files of every kind, written by hand.</summary>
internal static class FileSignatureCases
{
    internal static readonly (string Name, string? Id, byte[] Bytes)[] All =
    [
        // Images of disks
        Start("qcow1", "514649fb 00000001"),
        Start("vhdx", "7668647866696c65"),
        Start("vhd-start", "636f6e6563746978 00000002 00010000", "vhd, cut off: the copy of the footer"),
        Part("vhd", 4096 - 512, "636f6e6563746978", 4096, "vhd, fixed: the footer alone"),
        Part("vhd", 4095 - 511, "636f6e6563746978", 4095, "vhd, fixed: the footer of an old Virtual PC"),
        Start("vmdk", "4b444d56 01000000 03000000"),
        Start("vmdk-cowd", "434f5744 01000000 03000000"),
        Start("vmdk-sesparse", "bebafeca 00000000 01000000 02000000"),
        Whole("vmdk-descriptor", "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n"),
        Whole("vmdk-descriptor", "\n# Disk descriptorfile\nversion=1\n", "vmdk-descriptor: another case, after a blank line"),
        Whole("vmdk-descriptor", "version=1\nCID=123a681b\nparentCID=ffffffff\ncreateType=\"vmfs\"\n", "vmdk-descriptor without its comment"),
        Part("vdi", 64, "7f10dabe 01000100"),
        Start("qed", "51454400 00000100"),
        Start("parallels", "576974686f7574467265655370616365", "parallels, the old magic number"),
        Start("parallels", "576974686f7546726553706163457874", "parallels, the new magic number"),
        Whole("parallels-descriptor", "<?xml version='1.0' encoding='UTF-8'?>\n<Parallels_disk_image Version=\"1.0\">\n"),
        Whole("parallels-descriptor", "<Parallels_disk_image Version=\"1.0\">\n", "parallels-descriptor without a declaration"),
        Whole("bochs", "Bochs Virtual HD Image\0\0"),
        Whole("cloop", "#!/bin/sh\n#V2.0 Format\nmodprobe cloop\n\0"),
        Part("dmg", 4096 - 512, "6b6f6c79 00000004 00000200 00000001", 4096),
        Start("sparseimage", "73707273 00000003"),
        Start("ewf", "455646090d0aff00 01"),
        Start("ewf", "455646320d0a8100", "ewf, version 2"),
        Start("aff", "41464631300d0a00"),
        Start("android-sparse", "3aff26ed 0100 0000 1c00 0c00"),
        Start("asif", "73686477 00000001 00000200"),
        Start("partclone", "70617274636c6f6e652d696d61676500"),
        Part("cd-raw", 0, "00ffffffffffffffffffff00 00020001", 2 * 2352, "cd-raw", (2352, "00ffffffffffffffffffff00 00020101")),
        Start("qcow2-as-text", "fffe 5100 4600 4900 1a22 0000 0000 0000 0300", "a qcow2 image in UTF-16, as Windows PowerShell redirects it"),
        Start("qcow2-as-text", "514649 efbfbd 000000 03", "a qcow2 image in UTF-8, as PowerShell redirects it"),
        Start("qcow2-as-text", "efbbbf 514649 c3bb 000000 02", "a qcow2 image from Latin-1 to UTF-8"),
        Start("qcow2-as-text", "514649 3f 000000 03", "a qcow2 image in ASCII"),
        Start("wim", "4d5357494d000000 d0000000"),

        // Packed
        Start("gzip", "1f8b0808 00000000"),
        Start("xz", "fd377a585a00 0004"),
        Start("zstd", "28b52ffd a4"),
        Start("zstd", "502a4d18 04000000 00000000", "zstd, a frame to be skipped"),
        Start("bzip2", "425a6839 314159265359"),
        Start("bzip2", "425a6831 177245385090", "bzip2, of nothing"),
        Start("lz4", "04224d18 64"),
        Start("lz4", "02214c18", "lz4, the old frame"),
        Start("lzip", "4c5a4950 01 0c"),
        Start("lzop", "894c5a4f000d0a1a0a 1040"),
        Start("lzma", "5d 00008000 ffffffffffffffff 00"),
        Start("compress", "1f9d90"),
        Start("zip", "504b0304 1400"),
        Start("zip", "504b0506 0000", "zip, of nothing"),
        Start("7z", "377abcaf271c 0004"),
        Start("rar", "526172211a0700", "rar, version 4"),
        Start("rar", "526172211a070100", "rar, version 5"),
        ("tar", "tar", Tar("disk.ovf")),
        Start("cab", "4d534346 00000000"),
        Whole("ar", "!<arch>\ndebian-binary   "),
        Whole("cpio", "070701000000AA\0"),
        Start("vma", "564d4100 00000001"),
        Start("rpm", "edabeedb 0300"),

        // In place of a disk
        ("empty", "empty", []),
        Whole("html", "<!DOCTYPE html><html><title>404 Not Found</title></html>"),
        Whole("html", "\ufeff\r\n  <HTML><body>Moved</body></HTML>", "html, after a byte order mark and blanks"),
        ("html, of any length", "html", [.. Encoding.ASCII.GetBytes("<!doctype HTML>\n"), .. new byte[100_000]]),
        Whole("xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"),
        Whole("xml", "<Error><Code>NoSuchKey</Code></Error>", "xml without a declaration"),
        Whole("json", "{\"message\":\"Not Found\"}"),
        Whole("json", "[\n  { \"id\": 1 } ]", "json, an array"),
        Whole("lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        Whole("text", "404: Not Found"),
        Whole("text", "Zugriff verweigert: für Sie nicht möglich\n", "text with other letters"),
        ("text in UTF-16", "text", [0xff, 0xfe, .. Encoding.Unicode.GetBytes("<html>404: Nicht gefunden ✗</html>\r\n")]),
        ("text in UTF-16, big-endian", "text", [0xfe, 0xff, .. Encoding.BigEndianUnicode.GetBytes("404: Not Found")]),
        Start("pdf", "255044462d312e37"),
        Start("elf", "7f454c46 02 01 01"),
        ("pe", "pe", [.. Hex("4d5a"), .. new byte[58], .. Hex("40000000 50450000"), .. new byte[1000]]),
        Whole("torrent", "d8:announce35:udp://tracker.example\0"),

        // Raw disks, which are named and let pass
        Part("iso9660", 32769, "4344303031 01", 40_000),
        Part("iso9660", 32769, "4344303031 01", 40_000, "iso9660, with a boot record as on a memory stick", (510, "55aa")),
        Part("gpt", 512, "4546492050415254", 4096, "gpt, behind its protective boot record", (510, "55aa")),
        Part("gpt", 4096, "4546492050415254", 8192, "gpt, with sectors of 4 KiB"),
        Start("luks", "4c554b53babe 0001"),
        Part("ntfs", 3, "4e54465320202020", 4096, "ntfs", (510, "55aa")),
        Part("fat", 54, "4641543136202020", 4096, "fat", (510, "55aa")),
        Part("fat", 3, "4558464154202020", 4096, "exfat"),
        Part("mbr", 510, "55aa"),
        Part("mbr", 510, "55aa", 4096, "mbr whose boot code is a program for Windows, too", (0, "4d5a"), (0x3c, "40000000"), (0x40, "50450000")),
        Part("ext", 1080, "53ef", 4096, "ext", (1024, "00400000"), (1048, "02000000")),
        Start("xfs", "58465342 0000 1000"),
        Part("btrfs", 65600, "5f42485266535f4d", 70_000),
        Start("squashfs", "68737173"),
        Part("lvm", 512, "4c4142454c4f4e45"),
        Part("swap", 4086, "53574150535041434532", 8192),

        // Nothing that is known
        ("zeros", null, new byte[4096]),
        ("one byte", null, [0]),
        ("noise", null, Noise(100_000)),
        ("long text", null, Encoding.ASCII.GetBytes(new string('x', 65 * 1024))),
        Start(null, "1f8b08e0", "gzip with flags that do not exist"),
        Start(null, "425a6839 00", "three letters as of bzip2"),
        Start(null, "514649 20 000000 03", "three letters as of qcow2"),
        Start(null, "fffe 5100 4600 0100", "UTF-16 with control characters"),
        Start(null, "00ffffffffffffffffffff00 00020001", "one sector as of a CD"),
        Start(null, "4d5a", "two letters as of a program"),
        ("ustar without a check sum", null, Patched(new byte[1024], 257, "7573746172")),
        Part(null, 1080, "53ef", 4096, "two bytes as of ext, and nothing else"),
    ];

    private static (string Name, string? Id, byte[] Bytes) Start(string? id, string hex, string? name = null) => Part(id, 0, hex, 2000, name);

    private static (string Name, string? Id, byte[] Bytes) Whole(string id, string text, string? name = null) => (name ?? id, id, Encoding.UTF8.GetBytes(text));

    private static (string Name, string? Id, byte[] Bytes) Part(
        string? id, int offset, string hex, int length = 4096, string? name = null, params (int Offset, string Hex)[] more)
    {
        byte[] bytes = Patched(new byte[length], offset, hex);
        foreach ((int at, string other) in more)
        {
            Patched(bytes, at, other);
        }

        return (name ?? id!, id, bytes);
    }

    private static byte[] Patched(byte[] bytes, int offset, string hex)
    {
        Hex(hex).CopyTo(bytes, offset);
        return bytes;
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    private static byte[] Tar(string member)
    {
        byte[] header = new byte[1024];
        Encoding.ASCII.GetBytes(member).CopyTo(header, 0);
        Encoding.ASCII.GetBytes("ustar\000").CopyTo(header, 257);
        header.AsSpan(148, 8).Fill((byte)' ');
        int sum = header.Sum(value => value);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        return header;
    }

    private static byte[] Noise(int length)
    {
        byte[] bytes = new byte[length];
        new Random(7).NextBytes(bytes);
        return bytes;
    }
}
