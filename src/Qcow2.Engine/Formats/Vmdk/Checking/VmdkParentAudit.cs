using System.Globalization;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk.Checking;

/// <summary>Says which disk a child needs, and where it may be opened whether it is there and is the right one.</summary>
internal static class VmdkParentAudit
{
    private const string Table = "Descriptor";

    internal static void Run(FileCheck check, VmdkDescriptor child)
    {
        string id = child.ParentContentId.ToString("x8", CultureInfo.InvariantCulture);
        string named = child.ParentFileName is string name ? $", '{PrintableText.Of(name)}'" : "";
        check.AddReference(0, Table, $"This disk holds differences from the one with the CID {id}{named}: whoever reads the disk would read that file.");
        if (check.Options.Untrusted)
        {
            return;
        }

        try
        {
            var options = new Qcow2OpenOptions { References = check.Options.References };
            using LocalFile parent = VmdkFormat.FindParent(child, check.File.Path, options.References, ImageFile.OpenUnlocked, ChainContext.Begin(check.File, options));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool isOther = e is Qcow2Exception { Code: Qcow2ErrorCode.BackingFileMismatch };
            check.Add(
                isOther ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Error,
                isOther ? Qcow2CheckFindingKind.ParentMismatch : Qcow2CheckFindingKind.ParentUnavailable, 0, Table, e.Message);
        }
    }
}
