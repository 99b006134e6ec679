using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd.Checking;

/// <summary>Says which disk a differencing one needs, and where it may be opened whether it is there and is the right one.</summary>
internal static class VhdParentAudit
{
    private const string Table = "Parent";

    /// <summary>Looks at the locators, and notes where their texts lie: no block can lie there.</summary>
    /// <returns>The names of the parent, in the order in which to look.</returns>
    internal static IReadOnlyList<string> ReadNames(FileCheck check, VhdLayout layout)
    {
        var problems = new List<string>();
        IReadOnlyList<string> names = VhdParentNames.Of(check.File, layout.Header!, problems, layout.Reserved);
        foreach (string problem in problems)
        {
            check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ParentLocatorDamaged, (long)layout.Footer.DataOffset + 576, Table, problem);
        }

        return names;
    }

    internal static void Run(FileCheck check, VhdLayout layout, IReadOnlyList<string> names)
    {
        long field = (long)layout.Footer.DataOffset + 40;
        string named = names.Count == 0 ? "" : ", " + string.Join(" or ", names.Select(name => $"'{PrintableText.Of(name)}'"));
        check.AddReference(field, Table, $"This is a differencing disk over the one with the unique id {layout.Header!.ParentUniqueId}{named}: whoever reads the disk would read that file.");
        if (check.Options.Untrusted)
        {
            return;
        }

        try
        {
            Compare(check, layout, field);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool isOther = e is Qcow2Exception { Code: Qcow2ErrorCode.BackingFileMismatch };
            check.Add(
                isOther ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Error,
                isOther ? Qcow2CheckFindingKind.ParentMismatch : Qcow2CheckFindingKind.ParentUnavailable, field, Table, e.Message);
        }
    }

    private static void Compare(FileCheck check, VhdLayout layout, long field)
    {
        var options = new Qcow2OpenOptions { References = check.Options.References };
        var child = VhdStructure.Read(check.File, isSaid: true, isSalvage: true);
        using LocalFile file = VhdParentFile.Find(child, check.File.Path, options.References, ImageFile.OpenUnlocked, ChainContext.Begin(check.File, options));
        var parent = VhdStructure.Read(file, isSaid: true, isSalvage: true);
        if (layout.Header!.ParentTimeStamp != 0 && layout.Header.ParentTimeStamp != parent.Footer.TimeStamp)
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ParentMismatch, field + 16, Table,
                $"The parent {PrintableText.Of(file.Path)} has another time than this disk recorded: if it was written since this disk was made over it, what they show together is wrong.",
                layout.Header.ParentTimeStamp, parent.Footer.TimeStamp);
        }

        if (parent.Size != layout.Size)
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ParentMismatch, field, Table,
                $"The parent {PrintableText.Of(file.Path)} is a disk of {parent.Size} bytes, and this one has {layout.Size}.", (ulong)layout.Size, (ulong)parent.Size);
        }
    }
}
