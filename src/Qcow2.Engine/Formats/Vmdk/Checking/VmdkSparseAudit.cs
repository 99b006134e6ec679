using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Checks an extent of grains: its header, both grain directories, the tables, the grains, and what a stream has around them.</summary>
internal static class VmdkSparseAudit
{
    private const string Header = "Header";

    /// <summary>Reads the header of an extent.</summary>
    /// <returns>Null if nothing more of it can be checked.</returns>
    internal static VmdkSparseLayout? Load(FileCheck check, BlockStorage file, string name)
    {
        try
        {
            return VmdkSparseLayout.Load(file);
        }
        catch (Qcow2Exception e)
        {
            bool isCut = VmdkHostedHeader.Read(file).IsDirectoryAtEnd && VmdkSparseLayout.FindFooter(file) is null;
            if (isCut)
            {
                check.Add(Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FileCutOff, file.Length, Header, name + e.Message);
            }
            else
            {
                check.AddError(new Qcow2Exception(e.Code, name + e.Message), 0, Header);
            }

            return null;
        }
    }

    /// <summary>Checks an extent.</summary>
    /// <param name="check">Told what was found.</param>
    /// <param name="file">The extent's file.</param>
    /// <param name="layout">What its header says.</param>
    /// <param name="length">Bytes of the extent that are part of the disk.</param>
    /// <param name="name">The file, in front of what is said of it; empty where it is the one that is checked.</param>
    internal static void Run(FileCheck check, BlockStorage file, VmdkSparseLayout layout, long length, string name)
    {
        List<(DiskRange Range, string Name)> reserved =
        [
            (new DiskRange(0, VmdkLimits.SectorSize), "the header"),
            (new DiskRange(layout.DirectoryOffset, layout.DirectoryEntries * layout.EntryLength), "the grain directory"),
        ];
        if (layout.DescriptorOffset > 0 && layout.DescriptorLength > 0)
        {
            reserved.Add((new DiskRange(layout.DescriptorOffset, layout.DescriptorLength), "the descriptor"));
        }

        ExaminePlaces(check, reserved, name);
        VmdkHostedHeader? header = layout.Kind == VmdkSparseKind.Hosted ? VmdkHostedHeader.Read(file) : null;
        long? copy = header is null ? null : ExamineHeader(check, file, layout, header, name);
        if (copy is long place)
        {
            reserved.Add((new DiskRange(place, layout.DirectoryEntries * sizeof(uint)), "the copy of the grain directory"));
        }

        var tables = new VmdkTables(check, file, layout, name);
        check.TotalBlocks += (length / layout.GrainSize) + (length % layout.GrainSize != 0 ? 1 : 0);
        tables.Find(reserved);
        if (copy is long directory)
        {
            VmdkCopyAudit.Run(check, file, layout, tables, directory, reserved, name);
        }

        if (header is { IsDirectoryAtEnd: true })
        {
            VmdkStreamAudit.Run(check, file, layout, header, tables, name);
        }

        if (name.Length == 0)
        {
            check.EndOffset = Math.Min(file.Length, Math.Max(reserved.Max(part => part.Range.End), tables.All.Select(table => table.Place + tables.TableLength).DefaultIfEmpty().Max()));
        }

        new VmdkGrainAudit(check, file, layout, length, tables, reserved, name).Run();
    }

    private static void ExaminePlaces(FileCheck check, List<(DiskRange Range, string Name)> reserved, string name)
    {
        for (int i = 1; i < reserved.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (DiskRange one, string what) = reserved[i];
                (DiskRange other, string where) = reserved[j];
                if (one.Offset < other.End && other.Offset < one.End)
                {
                    check.Add(Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, 0, Header, $"{name}By the header, {what} at 0x{one.Offset:x} lies on {where} at 0x{other.Offset:x}.");
                }
            }
        }
    }

    /// <returns>Where the copy of the grain directory lies; null if there is none that can be looked at.</returns>
    private static long? ExamineHeader(FileCheck check, BlockStorage file, VmdkSparseLayout layout, VmdkHostedHeader header, string name)
    {
        if (header.IsUnclean)
        {
            check.IsDirty = true;
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MarkedDirty, 72, Header, $"{name}The VMDK extent was not closed (unclean shutdown): what was written last may be missing.");
        }

        if (layout.Problem is string problem && !header.IsUnclean)
        {
            check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, 56, Header, name + problem);
            return null;
        }

        if (!header.HasRedundantDirectory || header.IsDirectoryAtEnd)
        {
            return null;
        }

        long length = layout.DirectoryEntries * sizeof(uint);
        if (header.RedundantSector is 0 or > VmdkLimits.MaxSectors || (long)header.RedundantSector * VmdkLimits.SectorSize > file.Length - length)
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, 48, Header,
                $"{name}The copy of the grain directory is said to lie in sector {header.RedundantSector}, where there is none; the directory counts.", null, header.RedundantSector);
            return null;
        }

        long place = (long)header.RedundantSector * VmdkLimits.SectorSize;
        return place == layout.DirectoryOffset ? null : place;
    }
}
