namespace Qcow2.Engine.Partitions;

/// <summary>What the types of an MBR mean. There is no standard; these are the ones in use, by the names that Linux's and Windows' tools have.</summary>
internal static class MbrTypes
{
    internal const byte GptProtective = 0xee;

    private static readonly Dictionary<byte, string> Names = new()
    {
        [0x01] = "FAT12",
        [0x04] = "FAT16 (less than 32 MiB)",
        [0x05] = "Extended",
        [0x06] = "FAT16",
        [0x07] = "NTFS, exFAT or HPFS",
        [0x0b] = "FAT32",
        [0x0c] = "FAT32 (LBA)",
        [0x0e] = "FAT16 (LBA)",
        [0x0f] = "Extended (LBA)",
        [0x11] = "Hidden FAT12",
        [0x12] = "Diagnostics",
        [0x14] = "Hidden FAT16 (less than 32 MiB)",
        [0x16] = "Hidden FAT16",
        [0x17] = "Hidden NTFS or HPFS",
        [0x1b] = "Hidden FAT32",
        [0x1c] = "Hidden FAT32 (LBA)",
        [0x1e] = "Hidden FAT16 (LBA)",
        [0x27] = "Windows recovery",
        [0x39] = "Plan 9",
        [0x42] = "Windows dynamic disk",
        [0x63] = "GNU Hurd or SysV",
        [0x82] = "Linux swap",
        [0x83] = "Linux",
        [0x84] = "Hibernation",
        [0x85] = "Linux extended",
        [0x88] = "Linux plaintext",
        [0x8e] = "Linux LVM",
        [0xa5] = "FreeBSD",
        [0xa6] = "OpenBSD",
        [0xa8] = "Darwin UFS",
        [0xa9] = "NetBSD",
        [0xab] = "Darwin boot",
        [0xaf] = "HFS or HFS+",
        [0xbe] = "Solaris boot",
        [0xbf] = "Solaris",
        [0xda] = "Data without a file system",
        [0xde] = "Dell utility",
        [0xea] = "Linux extended boot",
        [0xeb] = "BeOS",
        [GptProtective] = "GPT protective",
        [0xef] = "EFI System",
        [0xfb] = "VMware VMFS",
        [0xfc] = "VMware VMKCORE",
        [0xfd] = "Linux RAID",
    };

    /// <summary>The name; null where the number is not known.</summary>
    internal static string? NameOf(byte type) => Names.TryGetValue(type, out string? name) ? name : null;

    /// <summary>Whether it holds logical partitions.</summary>
    internal static bool IsExtended(byte type) => type is 0x05 or 0x0f or 0x85;

    /// <summary>Whether Windows gives it no drive letter: the type of another file system with the bit 0x10.</summary>
    internal static bool IsHidden(byte type) => type is 0x11 or 0x14 or 0x16 or 0x17 or 0x1b or 0x1c or 0x1e or 0x27;
}
