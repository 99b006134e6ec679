using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Finds what is no damage, but what nobody takes from people he does not trust.</summary>
internal static class TrustAudit
{
    /// <summary>Tables up to this size are never too large.</summary>
    private const long SmallTables = 1L << 20;

    internal static void Run(Qcow2Header header, long fileLength, FindingLog log)
    {
        long tables = ((long)header.L1Size * L1Entry.Length) + ((long)header.RefcountTableClusters << header.ClusterBits);
        if (tables > SmallTables && tables > fileLength / 2)
        {
            Add(log, Qcow2CheckFindingKind.TablesOversized, HeaderField.L1Size,
                $"The L1 and refcount tables are said to take {tables} bytes, of a file of {fileLength}: memory for nothing.");
        }
    }

    private static void Add(FindingLog log, Qcow2CheckFindingKind kind, int field, string message)
        => log.Add(CheckStage.Header.At(field, (int)kind), Qcow2CheckSeverity.Warning, 1, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = field,
            Cluster = 0,
            Table = "Header",
            Message = message,
        });
}
