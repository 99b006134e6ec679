using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>Looks at both footers and at the dynamic disk header.</summary>
internal static class VhdHeaderAudit
{
    private const string FooterTable = "Footer";
    private const string HeaderTable = "Dynamic disk header";

    /// <summary>Bit 1 is always set, bit 0 marks a temporary disk; there are no others.</summary>
    private const uint ReservedFeature = 2;

    private const uint TemporaryFeature = 1;

    /// <summary>Looks at the headers.</summary>
    /// <returns>Null if nothing more can be checked.</returns>
    /// <exception cref="Qcow2Exception">The file is no VHD.</exception>
    internal static VhdLayout? Run(FileCheck check)
    {
        var footers = VhdFooters.Find(check.File);
        VhdFooter footer = footers.Choose(isSaid: true, isSalvage: true, []);
        ExamineCopies(check, footers, footer);
        try
        {
            footer.RequireSupported();
        }
        catch (Qcow2Exception e)
        {
            check.AddError(e, footers.DataEnd, FooterTable);
            return null;
        }

        if ((footer.Features & ~TemporaryFeature) != ReservedFeature)
        {
            check.Add(
                Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.ReservedBits, footers.DataEnd + 8, FooterTable,
                $"The footer's features are 0x{footer.Features:x8}; of the reserved bits only 0x{ReservedFeature:x} is set by others.", ReservedFeature, footer.Features);
        }

        return footer.HasTable ? WithTable(check, footer, footers.DataEnd) : Fixed(check, footer, footers.DataEnd);
    }

    private static void ExamineCopies(FileCheck check, VhdFooters footers, VhdFooter chosen)
    {
        if (footers.Trailing is null)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.FileCutOff, check.File.Length, FooterTable,
                "No footer is at the end of the file: a download or copy may have been cut short. Only the copy of the footer at the start of the file says what it is, and not every program looks at that.");
        }
        else if (!footers.Trailing.HasValidChecksum)
        {
            AddChecksum(check, footers.DataEnd + VhdFooter.ChecksumPosition, FooterTable, "The footer at the end of the file", footers.Trailing.Checksum, footers.Trailing.ComputedChecksum);
        }

        if (!chosen.HasTable || footers.Leading == footers.Trailing)
        {
            return; // Of a fixed disk the guest writes what is at the start.
        }

        switch (footers.Leading)
        {
            case null:
                AddCopy("The copy of the footer at the start of the file is missing: QEMU and others do not open such a file.");
                break;
            case { HasValidChecksum: false } when ReferenceEquals(chosen, footers.Leading):
                AddChecksum(check, VhdFooter.ChecksumPosition, FooterTable, "The copy of the footer at the start of the file", chosen.Checksum, chosen.ComputedChecksum);
                break;
            case { HasValidChecksum: false }:
                AddCopy("The copy of the footer at the start of the file has a wrong check sum; the footer at its end counts.");
                break;
            default:
                if (footers.Trailing is { HasValidChecksum: true })
                {
                    AddCopy("The copy of the footer at the start of the file differs from the footer at its end, which counts.");
                }

                break;
        }

        void AddCopy(string message) => check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, 0, FooterTable, message);
    }

    private static VhdLayout Fixed(FileCheck check, VhdFooter footer, long dataEnd)
    {
        var layout = new VhdLayout(footer, null, dataEnd, []);
        check.EndOffset = check.File.Length;
        if (layout.Size > dataEnd)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.FileCutOff, dataEnd, "File",
                $"The footer's current_size is {layout.Size} bytes, and the file has only {dataEnd} bytes before it: a part of the disk is missing.", footer.CurrentSize, (ulong)dataEnd);
        }
        else if (dataEnd - layout.Size >= VhdLimits.SectorSize)
        {
            check.AddUnused(Qcow2CheckSeverity.Leak, layout.Size, dataEnd - layout.Size, VhdLimits.SectorSize);
        }

        return layout;
    }

    private static VhdLayout? WithTable(FileCheck check, VhdFooter footer, long dataEnd)
    {
        if (ReadHeader(check, footer, dataEnd) is not VhdDynamicHeader header)
        {
            return null;
        }

        try
        {
            header.RequireUsable(0);
        }
        catch (Qcow2Exception e)
        {
            check.AddError(e, (long)footer.DataOffset, HeaderTable);
            return null;
        }

        var layout = new VhdLayout(footer, header, dataEnd,
        [
            (new DiskRange(0, VhdFooter.Length), "the copy of the footer"),
            (new DiskRange((long)footer.DataOffset, VhdDynamicHeader.Length), "the dynamic disk header"),
        ]);
        ExamineTable(check, layout);
        return layout;
    }

    private static VhdDynamicHeader? ReadHeader(FileCheck check, VhdFooter footer, long dataEnd)
    {
        long most = dataEnd - VhdDynamicHeader.Length;
        if (footer.DataOffset < VhdFooter.Length || most < 0 || footer.DataOffset > (ulong)most)
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.HeaderDamaged, 16, FooterTable,
                $"The footer's data_offset is 0x{footer.DataOffset:x}, and no dynamic disk header of {VhdDynamicHeader.Length} bytes can lie there: nothing else could be checked.", null, footer.DataOffset);
            return null;
        }

        byte[] bytes = new byte[VhdDynamicHeader.Length];
        check.File.ReadZeroPadded((long)footer.DataOffset, bytes);
        if (!VhdDynamicHeader.HasCookie(bytes))
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.HeaderDamaged, (long)footer.DataOffset, HeaderTable,
                $"The dynamic disk header at 0x{footer.DataOffset:x} does not begin with 'cxsparse': nothing else could be checked.");
            return null;
        }

        var header = VhdDynamicHeader.Parse(bytes);
        if (!header.HasValidChecksum)
        {
            AddChecksum(check, (long)footer.DataOffset + VhdDynamicHeader.ChecksumPosition, HeaderTable, "The dynamic disk header", header.Checksum, header.ComputedChecksum);
        }

        return header;
    }

    private static void ExamineTable(FileCheck check, VhdLayout layout)
    {
        const string Name = "the block allocation table";
        VhdDynamicHeader header = layout.Header!;
        long field = (long)layout.Footer.DataOffset + 16;
        if (header.MaxTableEntries != layout.BlockCount)
        {
            bool isShort = header.MaxTableEntries < layout.BlockCount;
            check.Add(
                isShort ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.TableSizeWrong, field + 12, HeaderTable,
                $"The block allocation table has {header.MaxTableEntries} entries, and the disk needs {layout.BlockCount}{(isShort ? ": the last blocks have none" : "")}.",
                (ulong)layout.BlockCount, header.MaxTableEntries);
        }

        long needed = layout.UsedEntries * sizeof(uint);
        if (header.TableOffset > (ulong)layout.DataEnd || needed > layout.DataEnd - (long)header.TableOffset)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.PastEndOfFile, field, HeaderTable,
                Qcow2Errors.PastEnd("The block allocation table", header.TableOffset, (ulong)needed, layout.DataEnd).Message, null, header.TableOffset);
        }

        if (header.TableOffset > (ulong)layout.DataEnd)
        {
            return;
        }

        var table = new DiskRange((long)header.TableOffset, (long)header.MaxTableEntries * sizeof(uint));
        foreach ((DiskRange range, string name) in layout.Reserved.Where(part => VhdStructure.Overlap(table, part.Range)))
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.MetadataOverlap, field, HeaderTable,
                $"The dynamic disk header's table_offset is 0x{header.TableOffset:x}, and {Name} there overlaps {name}.", null, header.TableOffset);
        }

        layout.Reserved.Add((table, Name));
        check.JudgeTables(field, HeaderTable, table.Length, check.File.Length);
    }

    private static void AddChecksum(FileCheck check, long offset, string table, string structure, uint stored, uint computed)
        => check.Add(Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.ChecksumWrong, offset, table, VhdErrors.WrongChecksum(structure, stored, computed), computed, stored);
}
