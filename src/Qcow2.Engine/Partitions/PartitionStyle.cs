namespace Qcow2.Engine;

/// <summary>Which kind of partition table a disk has, by the names that <c>Get-Disk</c> has for it.</summary>
public enum PartitionStyle
{
    /// <summary>None.</summary>
    Raw,

    /// <summary>A master boot record, with logical partitions or without.</summary>
    Mbr,

    /// <summary>A GUID partition table.</summary>
    Gpt,
}
