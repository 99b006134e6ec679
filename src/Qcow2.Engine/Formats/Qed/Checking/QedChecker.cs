using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qed.Checking;

/// <summary>Checks a QED image. Nothing but a file that is none is thrown.</summary>
internal static class QedChecker
{
    private const string Header = "Header";
    private const int FeaturesField = 16;
    private const int BackingField = 56;

    /// <exception cref="Qcow2Exception">The file is no QED image.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        if (check.TryLoad(QedHeader.Load, Header) is not QedHeader header)
        {
            return check.ToResult();
        }

        if (header.NeedsCheck)
        {
            check.IsDirty = true;
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MarkedDirty, FeaturesField, Header,
                "The image was not closed, so that its tables may lack what was written last, or lead elsewhere.");
        }

        if (header.BackingFile is string backing)
        {
            check.AddReference(BackingField, Header, $"The image names a backing file, '{PrintableText.Of(backing)}': whoever reads the image would read that file.");
        }

        new QedTableAudit(check, header).Run();
        if (check.Options.ReadData)
        {
            using var disk = QedDisk.Open(new BorrowedStorage(check.File), _ => new StandInDisk("backing file", header.Size));
            DiskDataAudit.Run(disk, check);
        }

        return check.ToResult();
    }
}
