using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Checks a VMDK file: a descriptor with the extents that it names, or a file with everything in it. Nothing but a file that is none is thrown.</summary>
internal static class VmdkChecker
{
    private const string Table = "Descriptor";

    /// <exception cref="Qcow2Exception">The file is no VMDK file.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        byte[] start = new byte[VmdkLimits.SectorSize];
        int count = check.File.Read(0, start);
        if (VmdkSparseLayout.KindOf(start.AsSpan(0, count)) is not null)
        {
            ExamineSparse(check);
        }
        else if (VmdkDescriptor.HasSignature(start.AsSpan(0, count)))
        {
            ExamineDescriptor(check);
        }
        else
        {
            throw Qcow2Errors.Corrupt("The file begins neither as a VMDK descriptor ('# Disk DescriptorFile') nor as a sparse extent: it is no VMDK file that says what its disk is.");
        }

        return check.ToResult();
    }

    private static void ExamineSparse(FileCheck check)
    {
        if (VmdkSparseAudit.Load(check, check.File, "") is not VmdkSparseLayout layout)
        {
            return;
        }

        VmdkDescriptor? descriptor = null;
        if (!HasDescriptor(check.File, layout))
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.DescriptorDamaged, 28, Table,
                "The file is one extent of a VMDK disk, and not the disk: it was checked as that. The descriptor, a small text file beside it (without -s001 or -delta in its name), says what belongs together.");
        }
        else
        {
            descriptor = Parse(check, () => VmdkDisk.ReadText(check.File, layout.DescriptorOffset, layout.DescriptorLength), layout.DescriptorOffset);
        }

        long length = layout.Capacity;
        if (descriptor is not null)
        {
            length = LengthOf(check, descriptor, layout);
        }

        VmdkSparseAudit.Run(check, check.File, layout, length, "");
        Finish(check, descriptor);
    }

    /// <summary>In extents of a split disk QEMU leaves room for a descriptor and puts none there.</summary>
    private static bool HasDescriptor(BlockStorage file, VmdkSparseLayout layout)
    {
        byte[] start = new byte[1];
        return layout.DescriptorOffset > 0 && layout.DescriptorLength > 0 && file.Read(layout.DescriptorOffset, start) > 0 && start[0] != 0;
    }

    private static long LengthOf(FileCheck check, VmdkDescriptor descriptor, VmdkSparseLayout layout)
    {
        try
        {
            long said = descriptor.Extents[0].Sectors * VmdkLimits.SectorSize;
            if (said > layout.Capacity)
            {
                check.Add(
                    Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.DescriptorDamaged, layout.DescriptorOffset, Table,
                    $"The descriptor says that the disk has {said} bytes, and the header that the extent has {layout.Capacity}: that counts.", (ulong)said, (ulong)layout.Capacity);
            }

            return VmdkDisk.OwnLength(descriptor, layout);
        }
        catch (Qcow2Exception e)
        {
            check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.DescriptorDamaged, layout.DescriptorOffset, Table, e.Message);
            return layout.Capacity;
        }
    }

    private static void ExamineDescriptor(FileCheck check)
    {
        check.EndOffset = check.File.Length;
        if (Parse(check, () => VmdkDisk.ReadText(check.File, 0, check.File.Length), 0) is VmdkDescriptor descriptor)
        {
            VmdkExtentsAudit.Run(check, descriptor);
            Finish(check, descriptor);
        }
    }

    private static VmdkDescriptor? Parse(FileCheck check, Func<byte[]> read, long offset)
    {
        try
        {
            var descriptor = VmdkDescriptor.Parse(read());
            _ = descriptor.ContentId;
            _ = descriptor.ParentContentId;
            return descriptor;
        }
        catch (Qcow2Exception e)
        {
            check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.DescriptorDamaged, offset, Table, e.Message);
            return null;
        }
    }

    private static void Finish(FileCheck check, VmdkDescriptor? descriptor)
    {
        if (descriptor is null)
        {
            return;
        }

        if (descriptor.HasParent)
        {
            VmdkParentAudit.Run(check, descriptor);
        }

        TryOpen(check);
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
            var options = new Qcow2OpenOptions { References = check.Options.Untrusted ? ReferencePolicy.Forbid : check.Options.References, ForceShare = check.Options.ForceShare };
            using var disk = VmdkDisk.Open(
                new BorrowedStorage(check.File),
                name => VmdkFormat.OpenExtent(name, check.File.Path, ChainContext.Begin(check.File, options)),
                _ => new StandInDisk("parent", VmdkLimits.MaxSectors * VmdkLimits.SectorSize));
            if (check.Options.ReadData)
            {
                DiskDataAudit.Run(disk, check);
            }
        }
        catch (Qcow2Exception e) when (check.Options.Untrusted && e.Code == Qcow2ErrorCode.ReferenceForbidden)
        {
            // Nobody opens what it names, and that it names something was said.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            check.Add(
                Qcow2CheckSeverity.Error, check.IsSound ? Qcow2CheckFindingKind.HeaderDamaged : Qcow2CheckFindingKind.DataUnreadable, 0, "Data", $"No data could be read: {e.Message}");
        }
    }
}
