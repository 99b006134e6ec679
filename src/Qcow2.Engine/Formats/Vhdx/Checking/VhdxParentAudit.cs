using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Says which disk a differencing one needs, and where it may be opened whether it is there and is the right one.</summary>
internal static class VhdxParentAudit
{
    private const string Table = "Parent locator";

    /// <param name="check">Told what was found.</param>
    /// <param name="child">What the disk is; it has a parent.</param>
    /// <param name="place">Where the metadata lie.</param>
    internal static void Run(FileCheck check, VhdxMetadata child, long place)
    {
        if (child.ParentLocator is not VhdxParentLocator locator)
        {
            return; // Said of the metadata.
        }

        string named = string.Join(" or ", locator.Names.Select(name => $"'{PrintableText.Of(name)}'"));
        string whose = string.Join(" or ", locator.Linkages);
        check.AddReference(place, Table, $"This is a differencing disk over the one with the data write id {whose}{(named.Length > 0 ? ", " + named : "")}: whoever reads the disk would read that file.");
        if (whose.Length == 0)
        {
            check.Add(Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.ParentLocatorDamaged, place, Table, "The parent locator has no parent_linkage: no file can be told to be the parent.");
        }

        if (check.Options.Untrusted)
        {
            return;
        }

        try
        {
            Compare(check, child, locator, place);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool isOther = e is Qcow2Exception { Code: Qcow2ErrorCode.BackingFileMismatch };
            check.Add(
                isOther ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Error,
                isOther ? Qcow2CheckFindingKind.ParentMismatch : Qcow2CheckFindingKind.ParentUnavailable, place, Table, e.Message);
        }
    }

    private static void Compare(FileCheck check, VhdxMetadata child, VhdxParentLocator locator, long place)
    {
        var options = new Qcow2OpenOptions { References = check.Options.References };
        using LocalFile file = VhdxFormat.FindParent(locator, check.File.Path, options.References, ImageFile.OpenUnlocked, ChainContext.Begin(check.File, options));
        VhdxMetadata parent = VhdxFile.Load(file).Metadata;
        if (parent.DiskSize != child.DiskSize || parent.LogicalSectorSize != child.LogicalSectorSize)
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ParentMismatch, place, Table,
                $"The parent {PrintableText.Of(file.Path)} is a disk of {parent.DiskSize} bytes with sectors of {parent.LogicalSectorSize}, and this one has {child.DiskSize} bytes with sectors of {child.LogicalSectorSize}.",
                (ulong)child.DiskSize, (ulong)parent.DiskSize);
        }
    }
}
