using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Says what else is needed to read an image, which no check of the image alone can vouch for: other files, a passphrase. Whoever
/// does not trust the image takes the files for a danger.
/// </summary>
internal static class NeedsAudit
{
    internal static void Run(Qcow2Header header, bool isUntrusted, FindingLog log)
    {
        Qcow2CheckSeverity reference = isUntrusted ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Information;
        if (header.BackingFile is string backing)
        {
            Add(log, reference, Qcow2CheckFindingKind.ReferenceToOtherFile, HeaderField.BackingFileOffset,
                $"The image names a backing file, '{PrintableText.Of(backing)}': whoever reads the image would read that file.");
        }

        if (header.Has(IncompatibleFeatures.ExternalDataFile))
        {
            string name = header.Extension<DataFileNameExtension>()?.FileName ?? "";
            Add(log, reference, Qcow2CheckFindingKind.ReferenceToOtherFile, HeaderField.IncompatibleFeatures,
                $"The image keeps its data in another file, '{PrintableText.Of(name)}': whoever reads the image would read that file.");
        }

        if (header.EncryptionMethod != EncryptionMethod.None)
        {
            Add(log, Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.PassphraseNeeded, HeaderField.CryptMethod,
                $"The image is encrypted ({header.EncryptionMethod}): to read it takes a passphrase.");
        }
    }

    private static void Add(FindingLog log, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, int field, string message)
        => log.Add(CheckStage.Header.At(field, (int)kind), severity, 1, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = field,
            Cluster = 0,
            Table = "Header",
            Message = message,
        });
}
