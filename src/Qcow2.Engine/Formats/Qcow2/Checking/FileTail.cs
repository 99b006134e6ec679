using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Whether the file holds the last thing that lies in it to its end. Readers, QEMU's among them, take what lacks for zeros, so that
/// a file whose last bytes were lost looks sound. Safe from many threads.
/// </summary>
/// <remarks>
/// QEMU does not fill up the last cluster: a file of its ends where the L1 table, the snapshot table or a compressed cluster ends
/// that lies there. What has to be there is that, to the next sector.
/// </remarks>
internal sealed class FileTail(long fileLength, ClusterGeometry geometry)
{
    private long _needed;

    /// <summary>The cluster that the file ends in; -1 where it ends with one.</summary>
    internal long LastCluster { get; } = geometry.IsClusterAligned(fileLength) ? -1 : fileLength >> geometry.ClusterBits;

    /// <summary>Whether the cluster that the file ends in is one of a run.</summary>
    internal bool IsIn(long first, long count) => LastCluster >= first && LastCluster < first + count;

    /// <summary>Notes that something lies in the file up to an offset.</summary>
    internal void Need(long end)
    {
        long needed = Interlocked.Read(ref _needed);
        while (end > needed && (end - 1) >> geometry.ClusterBits == LastCluster)
        {
            long seen = Interlocked.CompareExchange(ref _needed, end, needed);
            if (seen == needed)
            {
                return;
            }

            needed = seen;
        }
    }

    /// <summary>Says so if the file is too short.</summary>
    internal void Report(bool isUntrusted, FindingLog log)
    {
        if (_needed <= fileLength)
        {
            return;
        }

        // Files that this module wrote before end with their last byte of data, and are complete: so this alone makes no image unhealthy.
        log.Add(
            CheckStage.Data.At(long.MaxValue),
            isUntrusted ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Information,
            1,
            () => new Qcow2CheckFinding
            {
                Kind = Qcow2CheckFindingKind.FileCutOff,
                Offset = fileLength,
                Cluster = LastCluster,
                Table = "File",
                Expected = (ulong)_needed,
                Found = (ulong)fileLength,
                Message = $"The file ends at 0x{fileLength:x}, inside its last cluster, of which {_needed - fileLength} bytes lack that should hold something: "
                    + "a download or copy may have been cut short. They are read as zeros.",
            });
    }
}
