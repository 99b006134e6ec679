using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Looks at the extents that a descriptor names, in files of their own; of an image that is not trusted at their names alone.</summary>
internal static class VmdkExtentsAudit
{
    private const string Table = "Extents";

    internal static void Run(FileCheck check, VmdkDescriptor descriptor)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var flat = new List<(string File, long Start, long End, int Number)>();
        for (int i = 0; i < descriptor.Extents.Count; i++)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            VmdkExtentLine line = descriptor.Extents[i];
            int number = i + 1;
            if (line.Access == VmdkAccess.None)
            {
                check.Add(
                    Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ExtentUnavailable, 0, Table, () => $"Extent {number}, of {line.Sectors} sectors, is NOACCESS: nobody knows what that part of the disk holds.");
            }
            else if (line.FileName is string file)
            {
                check.Add(
                    check.Distrust, Qcow2CheckFindingKind.ReferenceToOtherFile, 0, Table, () => $"The image keeps data in another file, '{PrintableText.Of(file)}': whoever reads the image would read that file.");
                ExamineFile(check, line, file, seen);
                flat.Add((file, line.Offset, line.Offset + line.Sectors, number));
            }
        }

        FindOverlaps(check, descriptor, flat);
    }

    /// <param name="check">Told what was found.</param>
    /// <param name="line">The line of the descriptor.</param>
    /// <param name="name">The file that it names.</param>
    /// <param name="seen">Files with tables, each of which is looked at once however many lines name it.</param>
    private static void ExamineFile(FileCheck check, VmdkExtentLine line, string name, HashSet<string> seen)
    {
        string file = PrintableText.Of(name);
        try
        {
            var options = new Qcow2OpenOptions { References = check.Options.References, ForceShare = check.Options.ForceShare };
            string path = VmdkFormat.ResolveExtent(name, check.File.Path, options.References);
            if (check.Options.Untrusted || (line.Type != VmdkExtentType.Flat && !seen.Add(path)))
            {
                return;
            }

            using LocalFile extent = VmdkFormat.OpenExtent(name, check.File.Path, ChainContext.Begin(check.File, options));
            Examine(check, line, extent, file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            check.Add(
                check.Options.Untrusted ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.ExtentUnavailable, 0, Table, $"The extent '{file}' cannot be used: {e.Message}");
        }
    }

    private static void Examine(FileCheck check, VmdkExtentLine line, LocalFile extent, string file)
    {
        long length = line.Sectors * VmdkLimits.SectorSize;
        if (line.Type == VmdkExtentType.Flat)
        {
            long start = line.Offset * VmdkLimits.SectorSize;
            if (start > extent.Length - length)
            {
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.FileCutOff, extent.Length, Table,
                    $"The extent '{file}' has {extent.Length} bytes, and the descriptor takes {length} bytes from {start} on from it: the file was cut off, or is another one.",
                    (ulong)(start + length), (ulong)extent.Length);
            }

            return;
        }

        if (VmdkSparseAudit.Load(check, extent, $"'{file}': ") is not VmdkSparseLayout layout)
        {
            return;
        }

        VmdkSparseKind kind = VmdkDisk.KindOf(line.Type);
        if (layout.Kind != kind || length > layout.Capacity)
        {
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.ExtentUnavailable, 0, Table,
                layout.Kind != kind
                    ? $"The extent '{file}' is of the kind {layout.Kind}, and the descriptor says {line.Type}."
                    : $"The extent '{file}' has room for {layout.Capacity} bytes, and the descriptor takes {length} from it.",
                (ulong)length, (ulong)layout.Capacity);
        }

        VmdkSparseAudit.Run(check, extent, layout, Math.Min(length, layout.Capacity), $"'{file}': ");
    }

    private static void FindOverlaps(FileCheck check, VmdkDescriptor descriptor, List<(string File, long Start, long End, int Number)> extents)
    {
        foreach (IGrouping<string, (string File, long Start, long End, int Number)> file in extents.GroupBy(extent => extent.File, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            (string File, long Start, long End, int Number) last = default;
            foreach ((string File, long Start, long End, int Number) extent in file.OrderBy(extent => extent.Start))
            {
                bool isFlat = descriptor.Extents[extent.Number - 1].Type == VmdkExtentType.Flat;
                if (last.File is not null && (extent.Start < last.End || !isFlat))
                {
                    int other = last.Number;
                    check.Add(
                        Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.BlockOverlap, 0, Table,
                        () => $"Extents {other} and {extent.Number} take the same part of '{PrintableText.Of(extent.File)}': what is written to one changes the other.");
                }

                last = last.File is null || extent.End > last.End ? extent : last;
            }
        }
    }
}
