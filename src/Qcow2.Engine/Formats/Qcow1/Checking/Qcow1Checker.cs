using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow1.Checking;

/// <summary>Checks a QCOW image of version 1. Nothing but a file that is none is thrown.</summary>
internal static class Qcow1Checker
{
    private const string Header = "Header";
    private const int BackingField = 8;
    private const int MethodField = 36;

    /// <exception cref="Qcow2Exception">The file is no such image.</exception>
    internal static Qcow2CheckResult Run(FileCheck check)
    {
        if (check.TryLoad(Qcow1Header.Load, Header) is not Qcow1Header header)
        {
            return check.ToResult();
        }

        if (header.BackingFile is string backing)
        {
            check.AddReference(BackingField, Header, $"The image names a backing file, '{PrintableText.Of(backing)}': whoever reads the image would read that file.");
        }

        bool isEncrypted = header.EncryptionMethod != EncryptionMethod.None;
        if (isEncrypted)
        {
            check.Add(
                Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.PassphraseNeeded, MethodField, Header, "The image is encrypted (AES): to read it takes a passphrase, and its data was not looked at.");
        }

        new Qcow1TableAudit(check, header).Run();
        if (check.Options.ReadData && !isEncrypted)
        {
            using var disk = Qcow1Disk.Open(new BorrowedStorage(check.File), _ => new StandInDisk("backing file", header.Size));
            DiskDataAudit.Run(disk, check);
        }

        return check.ToResult();
    }
}
