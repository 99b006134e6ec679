using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Checks a VHDX file as it is after its log is replayed, which happens in memory. Nothing but a file that is none is thrown.</summary>
internal static class VhdxChecker
{
    private const string Metadata = "Metadata";

    /// <exception cref="Qcow2Exception">The file is no VHDX file.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        byte[] start = new byte[8];
        check.File.ReadZeroPadded(0, start);
        if (!VhdxFile.HasSignature(start))
        {
            throw Qcow2Errors.Corrupt("The file does not begin with 'vhdxfile': it is no VHDX file.");
        }

        if (VhdxHeaderAudit.Run(check) is VhdxHeader header)
        {
            BlockStorage storage = VhdxLogAudit.Run(check, header);
            Examine(check, storage, header);
            TryOpen(check);
        }

        return check.ToResult();
    }

    private static void Examine(FileCheck check, BlockStorage storage, VhdxHeader header)
    {
        var regions = new VhdxRegionAudit(check, storage);
        regions.Run(header);
        if (regions.Metadata is not VhdxRegion place || LoadMetadata(check, storage, place) is not VhdxMetadata metadata)
        {
            return;
        }

        if (regions.BlockTable is VhdxRegion table)
        {
            new VhdxBlockAudit(check, storage, table, metadata, regions.Regions).Run();
        }

        if (metadata.HasParent)
        {
            VhdxParentAudit.Run(check, metadata, place.Offset);
        }
    }

    private static VhdxMetadata? LoadMetadata(FileCheck check, BlockStorage storage, VhdxRegion place)
    {
        var faults = new List<Qcow2Exception>();
        VhdxMetadata? metadata = VhdxMetadata.TryLoad(storage, place, faults);
        foreach (Qcow2Exception fault in faults)
        {
            check.AddError(fault, place.Offset, Metadata);
        }

        return metadata;
    }

    /// <summary>What is called sound must be readable: if something was overlooked, the reader says it.</summary>
    private static void TryOpen(FileCheck check)
    {
        if (!check.IsSound && !check.Options.ReadData)
        {
            return;
        }

        try
        {
            using var disk = VhdxDisk.Open(new BorrowedStorage(check.File), _ => new StandInDisk("parent", VhdxLimits.MaxDiskSize));
            if (check.Options.ReadData)
            {
                DiskDataAudit.Run(disk, check);
            }
        }
        catch (Qcow2Exception e)
        {
            check.Add(
                Qcow2CheckSeverity.Error, check.IsSound ? Qcow2CheckFindingKind.HeaderDamaged : Qcow2CheckFindingKind.DataUnreadable, 0, "Data", $"No data could be read: {e.Message}");
        }
    }
}
