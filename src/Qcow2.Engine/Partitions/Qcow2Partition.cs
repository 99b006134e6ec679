using System.Diagnostics.CodeAnalysis;

namespace Qcow2.Engine;

/// <summary>
/// A partition of a disk and what lies in it, or a disk without a table that holds one thing. Properties have the names that <c>Get-Partition</c>
/// and <c>Get-Volume</c> use, sizes are in bytes, and all can be set, so that a script's tests can build one.
/// </summary>
public sealed class Qcow2Partition : Qcow2DiskObject
{
    /// <summary>Full path of the image whose disk this is.</summary>
    public override string Path { get; set; } = "";

    /// <summary>The kind of table that lists the partition; <see cref="PartitionStyle.Raw"/> where something takes the disk without one.</summary>
    public PartitionStyle PartitionStyle { get; set; }

    /// <summary>Its number, as Linux counts: entries of a GPT and of an MBR from 1, logical partitions from 5. Null for what takes the whole disk.</summary>
    public int? PartitionNumber { get; set; }

    /// <summary>Where it starts on the disk, in bytes.</summary>
    public long Offset { get; set; }

    /// <summary>Bytes, as the table says; it may pass the end of the disk.</summary>
    public long Size { get; set; }

    /// <summary>What its type means: <c>EFI System</c>, <c>Linux filesystem</c>. Null where there is no type, or none that is known.</summary>
    public string? Type { get; set; }

    /// <summary>The type in a GPT: a GUID in braces, in lower case. Null in other tables.</summary>
    public string? GptType { get; set; }

    /// <summary>The type in an MBR: 7 for NTFS, for one. Null in other tables.</summary>
    public int? MbrType { get; set; }

    /// <summary>The partition's own GUID in a GPT, in braces and in lower case: Linux's PARTUUID. Null in other tables.</summary>
    [SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "Get-Partition calls it so.")]
    public string? Guid { get; set; }

    /// <summary>The partition's name in a GPT, as it is there. It may hold any characters. Null for none.</summary>
    public string? Label { get; set; }

    /// <summary>The attributes of a GPT entry, bit by bit; 0 in other tables.</summary>
    public ulong GptAttributes { get; set; }

    /// <summary>Whether a BIOS starts from it: the flag 0x80 of an MBR, bit 2 of a GPT entry.</summary>
    public bool IsActive { get; set; }

    /// <summary>Whether firmware or the system needs it: bit 0 of a GPT entry.</summary>
    public bool IsRequired { get; set; }

    /// <summary>Whether Windows hides it: bit 62 of a GPT entry of Microsoft's basic data, a hidden type in an MBR.</summary>
    public bool IsHidden { get; set; }

    /// <summary>Whether it is not to be written: bit 60 of a GPT entry.</summary>
    public bool IsReadOnly { get; set; }

    /// <summary>Whether it is a shadow copy: bit 61 of a GPT entry of Microsoft's basic data.</summary>
    public bool IsShadowCopy { get; set; }

    /// <summary>Whether Windows gives it no drive letter by itself: bit 63 of a GPT entry.</summary>
    public bool NoDefaultDriveLetter { get; set; }

    /// <summary>
    /// What lies in it, by the names that <c>Get-Volume</c> and <c>blkid</c> have: <c>NTFS</c>, <c>FAT32</c>, <c>ext4</c>, <c>xfs</c>, <c>crypto_LUKS</c>,
    /// <c>LVM2_member</c>. Null where no mark is known, or where several contradict each other.
    /// </summary>
    public string? FileSystem { get; set; }

    /// <summary>Its version, where that has a number: <c>2</c> for LUKS2, <c>1.2</c> of an array of Linux. Null elsewhere.</summary>
    public string? FileSystemVersion { get; set; }

    /// <summary>The name that a person gave the file system, as it is there. It may hold any characters. Null for none.</summary>
    public string? FileSystemLabel { get; set; }

    /// <summary>Its id, as <c>blkid</c> writes it. Null where it has none.</summary>
    public string? FileSystemUuid { get; set; }

    /// <summary>How many bytes it says that it has; null where it does not say that in its first block.</summary>
    public long? FileSystemSize { get; set; }

    /// <summary>Bytes of a cluster or block, the least that a file takes; null where it does not say that.</summary>
    public long? AllocationUnitSize { get; set; }

    /// <summary>Bytes of a sector, in which the table counts: 512 or 4096.</summary>
    public int SectorSize { get; set; }

    /// <summary>The table's own id, as <c>blkid</c> writes it: a GUID, or the eight digits of an MBR's signature. Null for none.</summary>
    public string? PartitionTableId { get; set; }

    /// <summary>What is wrong with it, a sentence each.</summary>
    public string[] Problems { get; set; } = [];

    /// <summary>Whether it only holds logical partitions.</summary>
    internal bool IsContainer => MbrType is int type && Partitions.MbrTypes.IsExtended((byte)type);

    /// <summary>The byte after its last.</summary>
    internal long End => Offset + Size;

    /// <summary>What it is, in a word or two.</summary>
    public override string ToString() => $"{PartitionNumber?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "disk"}: {FileSystem ?? Type ?? "unknown"}";
}
