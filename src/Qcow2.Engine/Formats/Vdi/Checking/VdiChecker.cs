using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vdi.Checking;

/// <summary>Checks a VDI file. Nothing but a file that is none is thrown.</summary>
internal static class VdiChecker
{
    private const string Header = "Header";

    /// <exception cref="Qcow2Exception">The file is no VDI file.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        if (LoadHeader(check) is VdiHeader header)
        {
            ExamineKind(check, header);
            new VdiMapAudit(check, header).Run();
            if (check.Options.ReadData)
            {
                using var disk = VdiDisk.Open(new BorrowedStorage(check.File), _ => new StandInDisk("parent", header.DiskSize));
                DiskDataAudit.Run(disk, check);
            }
        }

        return check.ToResult();
    }

    private static VdiHeader? LoadHeader(FileCheck check)
    {
        try
        {
            VdiHeader header = VdiHeader.Parse(check.File, out IReadOnlyList<Qcow2Exception> faults);
            foreach (Qcow2Exception fault in faults)
            {
                check.AddError(fault, 0, Header);
            }

            return faults.Count == 0 ? header : null;
        }
        catch (Qcow2Exception e) when (e.Code != Qcow2ErrorCode.ImageCorrupt)
        {
            check.AddError(e, 0, Header);
            return null;
        }
    }

    private static void ExamineKind(FileCheck check, VdiHeader header)
    {
        const int TypeField = 76;
        const int ParentField = 424;
        if (header.HasParent != (header.Type == VdiType.Differencing))
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.HeaderDamaged, TypeField, Header,
                header.HasParent
                    ? $"The VDI file is of the type {(int)header.Type} ({header.Type}), and names a parent, {header.ParentId}."
                    : "The VDI file is of the type 4 (differencing), and names no parent: what it does not hold reads as zeros.");
        }

        if (!header.HasParent)
        {
            return;
        }

        string message = $"This is a differencing disk over the one with the id {header.ParentId}; the file does not say where that is, only VirtualBox's list of disks does";
        check.AddReference(ParentField, Header, message + ".");
        if (!check.Options.Untrusted)
        {
            ExamineParent(check, header, ParentField, message);
        }
    }

    /// <summary>Looks whether the parent is among the files that the caller named.</summary>
    private static void ExamineParent(FileCheck check, VdiHeader header, int field, string message)
    {
        if (check.Options.ParentPaths.Count == 0)
        {
            check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.ParentUnavailable, field, Header, message + ": nobody can look whether it is there.");
            return;
        }

        try
        {
            using LocalFile parent = VdiParentFile.Find(header, check.File.Path, check.Options.ParentPaths, ImageFile.OpenUnlocked);
            VdiParentCheck.Require(header, VdiHeader.Load(parent), parent.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool isOther = e is Qcow2Exception { Code: Qcow2ErrorCode.BackingFileMismatch };
            check.Add(
                isOther ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Error,
                isOther ? Qcow2CheckFindingKind.ParentMismatch : Qcow2CheckFindingKind.ParentUnavailable, field, Header, e.Message);
        }
    }
}
