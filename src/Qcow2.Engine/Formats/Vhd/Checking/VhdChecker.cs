using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>Checks a VHD. Nothing but a file that is none is thrown.</summary>
internal static class VhdChecker
{
    /// <exception cref="Qcow2Exception">The file is no VHD.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        if (VhdHeaderAudit.Run(check) is VhdLayout layout)
        {
            if (layout.Header is null)
            {
                VhdPlantedImage.Run(check);
            }
            else
            {
                ExamineBlocks(check, layout);
            }

            if (check.Options.ReadData)
            {
                ReadData(check);
            }
        }

        return check.ToResult();
    }

    private static void ExamineBlocks(FileCheck check, VhdLayout layout)
    {
        IReadOnlyList<string> names = layout.IsDifferencing ? VhdParentAudit.ReadNames(check, layout) : [];
        IReadOnlyList<ulong> blocks = new VhdBlockAudit(check, layout).Run();
        if (layout.IsDifferencing)
        {
            VhdParentAudit.Run(check, layout, names);
        }
        else
        {
            VhdBitmapAudit.Run(check, layout, blocks);
        }
    }

    private static void ReadData(FileCheck check)
    {
        try
        {
            var file = new BorrowedStorage(check.File);
            var structure = VhdStructure.Read(file, isSaid: true, isSalvage: true);
            VhdParent? parent = structure.IsDifferencing ? new VhdParent(new StandInDisk("parent", structure.Size), null, 0) : null;
            using var disk = VhdDisk.Open(file, structure, parent, isSalvage: true);
            DiskDataAudit.Run(disk, check);
        }
        catch (Qcow2Exception e)
        {
            check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.DataUnreadable, 0, "Data", $"No data could be read: {e.Message}");
        }
    }
}
