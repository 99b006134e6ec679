namespace Qcow2.Engine.Disks.Recognition;

/// <summary>What disks begin as. Looked for before programs and text: some boot sectors are those, too.</summary>
internal static class RawDiskSignatures
{
    internal static IReadOnlyList<FileSignature> All { get; } =
    [
        Disk("iso9660", "the content of a CD or DVD (ISO 9660)", c => c.Has(32769, "CD001"u8) || c.Has(32769, "BEA01"u8)),
        Disk("gpt", "a raw disk with a GPT partition table", c => c.Has(512, "EFI PART"u8) || c.Has(4096, "EFI PART"u8)),
        Disk("luks", "a LUKS volume", c => c.Has(0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0])),
        Disk("ntfs", "a raw disk with an NTFS file system", c => c.Has(3, "NTFS    "u8)),
        Disk("fat", "a raw disk with a FAT file system", c => c.Has(3, "EXFAT   "u8) || (c.HasBootMark && (c.Has(54, "FAT"u8) || c.Has(82, "FAT32"u8)))),
        Disk("mbr", "a raw disk with a boot record", c => c.HasBootMark),
        Disk("ext", "a raw disk with an ext2, ext3 or ext4 file system", IsExt),
        Disk("xfs", "a raw disk with an XFS file system", c => c.Has(0, "XFSB\0\0"u8)),
        Disk("btrfs", "a raw disk with a Btrfs file system", c => c.Has(65600, "_BHRfS_M"u8)),
        Disk("squashfs", "a SquashFS file system", c => c.Has(0, "hsqs"u8)),
        Disk("lvm", "a raw disk that is a physical volume of LVM", c => c.Has(512, "LABELONE"u8)),
        Disk("swap", "a raw disk with swap space", c => c.Has(4086, "SWAPSPACE2"u8)),
    ];

    private static FileSignature Disk(string id, string description, Func<FileContent, bool> matches)
        => new(id, FileNature.RawDisk, description, "It is raw: Convert-Qcow2Image -SourceFormat Raw turns it into a qcow2 image.", matches);

    /// <summary>The magic number has two bytes only, so the sizes of blocks must be possible, too.</summary>
    private static bool IsExt(FileContent c) => c.Has(1080, [0x53, 0xef]) && c.U32(1048) <= 6 && c.U32(1024) != 0;
}
