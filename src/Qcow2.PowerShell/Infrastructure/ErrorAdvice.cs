using Qcow2.Engine;
using Qcow2.Engine.Http;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// What a cmdlet can do about an error of the engine, which knows no parameters: said only where the cmdlet has the parameter, and the
/// parameter is about the file.
/// </summary>
internal static class ErrorAdvice
{
    /// <summary>The way on.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="command">The cmdlet's name.</param>
    /// <param name="parameterFor">The cmdlet's parameter that has a part, given its usual name and the file at fault; null for none.</param>
    /// <returns>Null if nothing can be advised.</returns>
    internal static string? For(Exception exception, string command, Func<string, string?, string?> parameterFor)
    {
        if (exception is not Qcow2Exception error)
        {
            return null;
        }

        string? Parameter(string usual) => parameterFor(usual, error.Path);
        return error.Code switch
        {
            Qcow2ErrorCode.ImageLocked when error.CanBeShared => Parameter("ForceShare") is string share
                ? $"Stop it, or read the image all the same with -{share}, in which case what is read may be inconsistent."
                : "Stop it first.",
            Qcow2ErrorCode.BackingFormatMissing => Parameter("BackingFormat") is string format
                ? $"Say which it is: -{format} qcow2 or -{format} raw."
                : "Record it first: Set-Qcow2Image -MetadataOnly, with -BackingFile and -BackingFormat.",
            Qcow2ErrorCode.ParentNotNamed => Parameter("SourceParentPath") is string parent ? $"Say which file it is with -{parent}." : null,
            Qcow2ErrorCode.RangesNotSupported => Parameter("AllowDownload") is string download ? $"-{download} does that, into a temporary file." : null,
            Qcow2ErrorCode.DataFileUnavailable => Parameter("DataFile") is string data ? $"Say which file it is with -{data}." : null,
            Qcow2ErrorCode.PassphraseRequired => Parameter("Passphrase") is string passphrase ? $"Give it with -{passphrase}{Table(passphrase)}." : null,
            Qcow2ErrorCode.PassphraseIncorrect => Parameter("Passphrase") is string right ? $"Give the right one with -{right}{Table(right)}." : null,
            Qcow2ErrorCode.UnpackedTooLarge => Parameter("MaximumUnpackedSize") is string most ? $"If it is known, allow it with -{most}." : null,
            Qcow2ErrorCode.ManifestMismatch => Parameter("Salvage") is string salvage ? $"Only if that is known, -{salvage} copies what can be read of it, with a warning." : null,
            Qcow2ErrorCode.DiskNotSpecified => Parameter("DiskName") is string disk ? $"Name it with -{disk}." : null,
            Qcow2ErrorCode.KeySlotInUse => Parameter("Force") is string replace ? $"Replace it with -{replace} if that is meant." : null,
            Qcow2ErrorCode.LastKeySlot => Parameter("Force") is string last ? $"If that is meant, -{last} removes it." : null,
            Qcow2ErrorCode.SnapshotWouldChange => Parameter("MetadataOnly") is string header
                ? $"Or change the header alone with -{header}, which changes what the snapshot shows."
                : null,
            Qcow2ErrorCode.ImageCorrupt => command is "Test-Qcow2Image" or "Repair-Qcow2Image"
                ? null
                : IsRepaired(error.Path)
                    ? "Test-Qcow2Image lists what is wrong with it, and Repair-Qcow2Image -Mode All mends what can be mended."
                    : "Test-Qcow2Image lists what is wrong with it, and Convert-Qcow2Image -Salvage copies what can be read.",
            _ => null,
        };
    }

    /// <summary>How several passphrases are given.</summary>
    private static string Table(string parameter)
        => parameter == "BackingPassphrase" ? ": one for all files below the image, or one for each: @{ 'base.qcow2' = $passphrase }" : "";

    /// <summary>Whether a file is of the one format that is repaired here, or may be.</summary>
    private static bool IsRepaired(string? path)
    {
        if (path is not null && HttpAddress.IsLike(path))
        {
            return false;
        }

        try
        {
            return path is null || DiskFormats.Recognize(path).Mark is not DiskFormat mark || mark == DiskImageFormat.Qcow2.Known();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return true;
        }
    }
}
