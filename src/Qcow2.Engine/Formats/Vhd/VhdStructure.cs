using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>What the headers of a VHD say: all that can be known of it without its tables and data.</summary>
internal sealed class VhdStructure
{
    private VhdStructure(VhdFooter footer, long dataEnd, IReadOnlyList<string> problems)
    {
        Footer = footer;
        DataEnd = dataEnd;
        Problems = problems;
    }

    /// <summary>The copy of the footer that holds.</summary>
    internal VhdFooter Footer { get; }

    /// <summary>The dynamic disk header; null of a fixed disk.</summary>
    internal VhdDynamicHeader? Header { get; private init; }

    /// <summary>Where data end: at the trailing footer, or at the end of a file that has none.</summary>
    internal long DataEnd { get; }

    /// <summary>Where the parent may lie, in the order in which to look; empty of a disk without one.</summary>
    internal IReadOnlyList<string> ParentNames { get; private init; } = [];

    /// <summary>Parts of the file that are no blocks, each with its name.</summary>
    internal IReadOnlyList<(DiskRange Range, string Name)> Reserved { get; private init; } = [];

    /// <summary>What is damaged without keeping the disk from being read; a sentence each.</summary>
    internal IReadOnlyList<string> Problems { get; }

    /// <summary>Size of the disk, in bytes. Always the current size: what cuts a disk to its geometry loses data.</summary>
    internal long Size => (long)Footer.CurrentSize;

    internal bool IsDifferencing => Footer.DiskType == VhdDiskType.Differencing;

    /// <summary>Blocks of the disk; those that the table has beyond are not looked at.</summary>
    internal int BlockCount => Header is null ? 0 : (int)((Size + Header.BlockSize - 1) / Header.BlockSize);

    /// <summary>Reads and checks the headers.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="isSaid">Whether the caller said that it is a VHD.</param>
    /// <param name="isSalvage">Whether wrong check sums will do.</param>
    /// <exception cref="Qcow2Exception">It is no VHD, or one that cannot be read.</exception>
    internal static VhdStructure Read(BlockStorage storage, bool isSaid, bool isSalvage)
    {
        try
        {
            var problems = new List<string>();
            VhdFooters footers = VhdFooters.Find(storage);
            VhdFooter footer = footers.Choose(isSaid, isSalvage, problems);
            footer.RequireSupported();
            return footer.HasTable ? ReadWithTable(storage, footer, footers.DataEnd, isSalvage, problems) : OfFixed(footer, footers.DataEnd, problems);
        }
        catch (Qcow2Exception e)
        {
            e.At(storage.Path);
            throw;
        }
    }

    private static VhdStructure OfFixed(VhdFooter footer, long dataEnd, List<string> problems)
        => footer.CurrentSize <= (ulong)dataEnd
            ? new VhdStructure(footer, dataEnd, problems)
            : throw Qcow2Errors.Corrupt(
                $"The footer's current_size is {footer.CurrentSize} bytes, and the file has only {dataEnd} bytes before it: a part of the disk is missing.");

    private static VhdStructure ReadWithTable(BlockStorage storage, VhdFooter footer, long dataEnd, bool isSalvage, List<string> problems)
    {
        VhdDynamicHeader header = ReadHeader(storage, footer, dataEnd, isSalvage, problems);
        header.RequireUsable((long)footer.CurrentSize);
        var reserved = new List<(DiskRange Range, string Name)>
        {
            (new DiskRange(0, VhdFooter.Length), "the copy of the footer"),
            (new DiskRange((long)footer.DataOffset, VhdDynamicHeader.Length), "the dynamic disk header"),
        };
        AddTable(header, (long)footer.CurrentSize, dataEnd, reserved);
        bool hasParent = footer.DiskType == VhdDiskType.Differencing;
        return new VhdStructure(footer, dataEnd, problems)
        {
            Header = header,
            ParentNames = hasParent ? VhdParentNames.Of(storage, header, problems, reserved) : [],
            Reserved = reserved,
        };
    }

    private static VhdDynamicHeader ReadHeader(BlockStorage storage, VhdFooter footer, long dataEnd, bool isSalvage, List<string> problems)
    {
        const string Name = "The dynamic disk header";
        if (footer.DataOffset < VhdFooter.Length)
        {
            throw Qcow2Errors.Corrupt($"The footer's data_offset is {footer.DataOffset}, which lies in the copy of the footer.");
        }

        if (dataEnd < VhdDynamicHeader.Length || footer.DataOffset > (ulong)(dataEnd - VhdDynamicHeader.Length))
        {
            throw Qcow2Errors.PastEnd(Name, footer.DataOffset, VhdDynamicHeader.Length, dataEnd);
        }

        byte[] bytes = new byte[VhdDynamicHeader.Length];
        storage.ReadZeroPadded((long)footer.DataOffset, bytes);
        if (!VhdDynamicHeader.HasCookie(bytes))
        {
            throw Qcow2Errors.Corrupt($"{Name} at 0x{footer.DataOffset:x} does not begin with 'cxsparse'.");
        }

        VhdDynamicHeader header = VhdDynamicHeader.Parse(bytes);
        if (!header.HasValidChecksum)
        {
            string problem = VhdErrors.WrongChecksum(Name, header.Checksum, header.ComputedChecksum);
            if (!isSalvage)
            {
                throw Qcow2Errors.Corrupt(problem);
            }

            problems.Add(problem);
        }

        return header;
    }

    /// <summary>Of the table only what the disk needs must be in the file, but no block may lie in the rest.</summary>
    private static void AddTable(VhdDynamicHeader header, long size, long dataEnd, List<(DiskRange Range, string Name)> reserved)
    {
        const string Name = "the block allocation table";
        long needed = (size + header.BlockSize - 1) / header.BlockSize * sizeof(uint);
        if (needed > dataEnd || header.TableOffset > (ulong)(dataEnd - needed))
        {
            throw Qcow2Errors.PastEnd("The block allocation table", header.TableOffset, (ulong)needed, dataEnd);
        }

        var table = new DiskRange((long)header.TableOffset, (long)header.MaxTableEntries * sizeof(uint));
        foreach ((DiskRange range, string name) in reserved)
        {
            if (Overlap(table, range))
            {
                throw Qcow2Errors.Corrupt($"The dynamic disk header's table_offset is 0x{header.TableOffset:x}, and {Name} there overlaps {name}.");
            }
        }

        reserved.Add((table, Name));
    }

    internal static bool Overlap(DiskRange one, DiskRange other) => one.Offset < other.End && other.Offset < one.End;
}
