using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Gets the partitions of a virtual disk and what lies in them.</summary>
/// <remarks>
/// <para>
/// Get-Qcow2Partition reads the partition table of a disk as the guest sees it, with the data of its whole backing chain, and looks at what lies in each partition. Nothing is
/// mounted, and no more than some KiB of each partition are read. The properties have the names that <c>Get-Partition</c> and <c>Get-Volume</c> have for them.
/// </para>
/// <para>
/// The table may be a GPT, whose backup is read where the first one is damaged, or an MBR with logical partitions; numbers are those that Linux gives. Sectors may have
/// 512 or 4096 bytes: a GPT shows which, a VHDX says it, and of an MBR that counts under which known file systems begin where partitions do. A disk without a table that holds one file
/// system, as many cloud images and memory cards do, is one row without a number, and so is the file system of a CD that has a table as well. A disk with nothing known on it gives nothing.
/// </para>
/// <para>
/// What lies in a partition is told by its mark, with label, UUID and size where the superblock says them: ext2, ext3, ext4, XFS, Btrfs, F2FS, NTFS, ReFS, FAT12, FAT16, FAT32, exFAT, ISO 9660,
/// UDF, HFS+, APFS, SquashFS, EROFS, swap space; LVM2, LUKS1 and LUKS2, BitLocker, ZFS and arrays of Linux. It is decided as <c>blkid -p</c> does: arrays, LVM and encryption come first, and
/// where marks contradict each other nothing is said but that.
/// </para>
/// <para>
/// What is wrong with a table is a warning: a damaged GPT or backup, a backup that is not at the end of the disk since that grew, a hybrid MBR, a chain of logical partitions
/// that is broken or runs in a circle. What is wrong with one partition is in its <c>Problems</c>.
/// </para>
/// <para>
/// All of that is the guest's word, names included: the views show control characters as codes. The image may be of any format that this module reads. For images from people you do not
/// trust, see <c>-ReferencePolicy</c> and <c>-SourceFormat</c>.
/// </para>
/// </remarks>
/// <example>
/// <code>Get-Qcow2Partition web01.qcow2</code>
/// <para>The partitions of a disk.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Partition web01.vhdx | Format-List</code>
/// <para>All that is known of each, for a disk of Hyper-V.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Get-Qcow2Partition | Where-Object FileSystem -eq crypto_LUKS | Select-Object Path, PartitionNumber, FileSystemUuid</code>
/// <para>Which disks of a folder have encrypted partitions.</para>
/// </example>
/// <example>
/// <code>$root = Get-Qcow2Partition web01.qcow2 | Where-Object FileSystemLabel -eq cloudimg-rootfs; Read-Qcow2Image web01.qcow2 -Offset $root.Offset -Count $root.Size -OutputFile root.img</code>
/// <para>Writes the partition with a label to a file of its own.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Snapshot web01.qcow2 | Get-Qcow2Partition | Format-Table SnapshotName, PartitionNumber, Size, FileSystem</code>
/// <para>The partitions as they were when each snapshot was taken.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Partition upload.img -SourceFormat Raw -ReferencePolicy Forbid</code>
/// <para>Looks into a disk that somebody uploaded: it is a raw one whatever it begins as, and opens no other file.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2Partition -Uri https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img</code>
/// <para>Looks into a cloud image where it is published.</para>
/// </example>
/// <seealso cref="GetQcow2ImageCommand"/>
/// <seealso cref="ReadQcow2ImageCommand"/>
/// <seealso cref="ResizeQcow2ImageCommand"/>
[Cmdlet(VerbsCommon.Get, "Qcow2Partition", DefaultParameterSetName = PathSet)]
[OutputType(typeof(Qcow2Partition), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class GetQcow2PartitionCommand : DiskReadingCmdlet
{
    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>
    /// Bytes of a sector, in which the partition table counts: 512 or 4096. By default what the table or the image says, which is needed only of an MBR for sectors of 4096 bytes in a
    /// raw disk, with nothing in its partitions that is known.
    /// </summary>
    /// <value>What the table or the image says</value>
    [Parameter]
    [ValidateSet("512", "4096")]
    public int? LogicalSectorSizeBytes { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        DiskSource source = SourceOf(image, SourceFormat);
        DiskPartitions? found = null;
        string? snapshotId = null;
        string? snapshotName = null;
        LongOperation.Run(
            stop =>
            {
                using OpenedDisk opened = source.Open(stop);
                found = DiskPartitions.Read(opened.Disk, LogicalSectorSizeBytes, stop);
                snapshotId = opened.Snapshot?.Id;
                snapshotName = opened.Snapshot?.Name;
            },
            () => { }, StopToken);
        foreach (string problem in found!.Problems)
        {
            WriteWarning($"{source.Path}: {DisplayText.Printable(problem)}");
        }

        if (found.Partitions.Count == 0)
        {
            WriteVerbose($"{source.Path}: there is no partition on the disk, and no file system that is known.");
        }

        foreach (Qcow2Partition partition in found.Partitions)
        {
            partition.Path = source.Path;
            partition.SnapshotId = snapshotId;
            partition.SnapshotName = snapshotName;
            WriteObject(partition);
        }
    }
}
